import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Opens the folder of runs, and returns its name: it stays the same as long as the folder, so that a job is taken up again
 * where its runs are.
 */
export async function openTempFolder(folder: string): Promise<string> {
  await mkdir(join(folder, "jobs"), { recursive: true, mode: 0o700 });
  const file = join(folder, "name");
  const staging = join(folder, `.name.${randomUUID()}`);
  await writeFile(staging, randomUUID(), { mode: 0o600, flush: true });
  try {
    // A link appears whole and never replaces: of two processes one names the folder.
    await link(staging, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(staging, { force: true });
  }
  return readFile(file, "utf8");
}
