// The library's dependency injection wants this polyfill before it is loaded.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

const DAY_MS = 24 * 3_600_000;
const RENEW_BEFORE_DAYS = 7;

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export function filesOf(folder: string, name: string): CertificateFiles {
  return {
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}-key.pem`),
  };
}

/** Undefined where a file is missing or the two do not belong together (a killed renewal). */
export async function readPair(
  files: CertificateFiles,
): Promise<{ certificate: X509Certificate; key: string } | undefined> {
  try {
    const certificate = new X509Certificate(await readFile(files.cert));
    const key = await readFile(files.key, "utf8");
    const belongs = certificate.checkPrivateKey(createPrivateKey(key));
    return belongs ? { certificate, key } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`${files.cert} or its key can't be read`, { cause: error });
  }
}

/** Whether it is valid for more than a week from now. */
export function lasts(certificate: X509Certificate, now: Date): boolean {
  const left = certificate.validToDate.getTime() - now.getTime();
  return left > RENEW_BEFORE_DAYS * DAY_MS;
}

/** Writes a certificate and its key as PEM, each by one rename. */
export async function writePair(
  files: CertificateFiles,
  certificate: x509.X509Certificate,
  privateKey: CryptoKey,
): Promise<void> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", privateKey);
  const key = x509.PemConverter.encode(pkcs8, "PRIVATE KEY");
  await writeWhole(files.key, `${key}\n`, 0o600);
  await writeWhole(files.cert, `${certificate.toString("pem")}\n`, 0o644);
}

/** Replaces a file by one rename, which is what watchers of certificates wait for. */
export async function writeWhole(
  file: string,
  text: string,
  mode: number,
): Promise<void> {
  await writeFile(`${file}.new`, text, { mode });
  await rename(`${file}.new`, file);
}
