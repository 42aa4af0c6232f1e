import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const BYTES = 32;

/**
 * A random secret that a run's folder keeps in `<directory>/secrets/<name>`,
 * readable by its owner only. One file each, so that components which start in
 * parallel never write the same one.
 */
export async function persistentSecret(
  directory: string,
  name: string,
): Promise<string> {
  const folder = join(directory, "secrets");
  const file = join(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const staging = join(folder, `.${name}.${randomBytes(6).toString("hex")}`);
  await writeFile(staging, randomBytes(BYTES).toString("base64url"), {
    mode: 0o600,
  });
  try {
    // A link appears whole and never replaces: a kill can't leave half a secret.
    await link(staging, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(staging, { force: true });
  }
  return readFile(file, "utf8");
}
