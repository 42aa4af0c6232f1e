import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";

/** What a server or a client shows and trusts for mTLS, as PEM. */
export interface TlsFiles {
  /** One or more authorities: while one takes over from another, both are trusted. */
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Tells of every later version, until the function that it returns is called. Left out where nothing changes. */
  readonly onChange?: (listener: (files: TlsFiles) => void) => () => void;
}

export interface TlsPaths {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** How soon a replaced file is noticed. */
const pollMs = 1_000;

/**
 * Reads the files, and again whenever one is replaced. By polling: a mounted secret is a link whose target is swapped,
 * which folders' watchers tell differently on every system. A certificate whose key is not there yet is not told of; the
 * last pair that belonged together stays.
 *
 * @throws Error where a file can't be read now.
 */
export function watchedTlsFiles(paths: TlsPaths): TlsFiles {
  const first = readAll(paths);
  return {
    ...first,
    onChange(listener) {
      let last = first;
      const look = () => {
        const found = readPair(paths);
        if (found === undefined || isSame(found, last)) return;
        last = found;
        listener(found);
      };
      const files = Object.values(paths);
      for (const file of files) {
        watchFile(file, { interval: pollMs, persistent: false }, look);
      }
      // What was replaced between the first reading and now.
      look();
      return () => files.forEach((file) => unwatchFile(file, look));
    },
  };
}

function readAll({ ca, cert, key }: TlsPaths) {
  return {
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
  };
}

/** Undefined while a replacement is under way: a file is missing, or is not of the others' making. */
function readPair(paths: TlsPaths): ReturnType<typeof readAll> | undefined {
  try {
    const files = readAll(paths);
    const certificate = new X509Certificate(files.cert);
    void new X509Certificate(files.ca);
    const belongs = certificate.checkPrivateKey(createPrivateKey(files.key));
    return belongs ? files : undefined;
  } catch {
    return undefined;
  }
}

function isSame(
  a: ReturnType<typeof readAll>,
  b: ReturnType<typeof readAll>,
): boolean {
  return a.ca.equals(b.ca) && a.cert.equals(b.cert) && a.key.equals(b.key);
}
