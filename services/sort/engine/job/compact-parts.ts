import { open } from "node:fs/promises";

/**
 * Moves parts of a file down so that each follows the one before, and cuts the file behind the last. Parts were given
 * the room that they needed at most; where equal records were dropped they need less.
 */
export async function compactParts(
  path: string,
  starts: readonly number[],
  sizes: readonly number[],
  from: number,
): Promise<void> {
  await using file = await open(path, "r+");
  const piece = new Uint8Array(4 << 20);
  let end = from;
  for (const [i, size] of sizes.entries()) {
    const start = starts[i] ?? end;
    for (let done = 0; start !== end && done < size;) {
      const most = Math.min(piece.length, size - done);
      const { bytesRead } = await file.read(piece, 0, most, start + done);
      if (bytesRead === 0) throw new Error(`${path} is shorter than its parts`);
      await file.write(piece, 0, bytesRead, end + done);
      done += bytesRead;
    }
    end += size;
  }
  await file.truncate(end);
}
