import { readdir, readFile, rename, rm } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import {
  filesOf,
  readPair,
  writePair,
  writeWhole,
} from "./certificate-files.ts";
import { createAuthority, ensureAuthority, issueLeaf } from "./certificates.ts";

/** Issues every certificate of a folder anew, by the authority that signs now. Whoever uses them takes them without a restart. */
export async function reissueCertificates(folder: string): Promise<string[]> {
  const now = new Date();
  const authority = await ensureAuthority(folder, now);
  const names = (await readdir(folder))
    .filter((file) => file.endsWith("-key.pem") && !/^ca(-next)?-/.test(file))
    .map((file) => file.slice(0, -"-key.pem".length));
  for (const name of names) await issueLeaf(folder, authority, name, now);
  return names;
}

/** First step to another authority: it is trusted beside the old one, and signs nothing yet. */
export async function trustNextAuthority(folder: string): Promise<void> {
  const { certificate, keys } = await createAuthority(new Date());
  await writePair(filesOf(folder, "ca-next"), certificate, keys.privateKey);
  await writeBundle(folder, ["ca", "ca-next"]);
}

/** Second step: it signs from now on, and the old one is still trusted. */
export async function signByNextAuthority(folder: string): Promise<void> {
  const next = filesOf(folder, "ca-next");
  if ((await readPair(next)) === undefined) {
    throw new Error("there is no next authority: trust one first");
  }
  await writeBundle(folder, ["ca-next", "ca"]);
  await rename(next.key, filesOf(folder, "ca").key);
  await rm(next.cert);
  await reissueCertificates(folder);
}

/** Last step: only the authority that signs is trusted. */
export async function dropOldAuthority(folder: string): Promise<void> {
  await writeBundle(folder, ["ca"]);
}

/** `ca.pem` with the first certificate of each name. */
async function writeBundle(
  folder: string,
  names: readonly string[],
): Promise<void> {
  const certificates = await Promise.all(
    names.map(async (name) => readFile(filesOf(folder, name).cert)),
  );
  const text = certificates.map((pem) => new X509Certificate(pem).toString());
  await writeWhole(join(folder, "ca.pem"), text.join(""), 0o644);
}
