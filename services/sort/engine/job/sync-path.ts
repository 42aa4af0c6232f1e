import { open } from "node:fs/promises";

/** Has a file's bytes, or a folder's names, on the disk: they survive a power cut then. */
export async function syncPath(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}
