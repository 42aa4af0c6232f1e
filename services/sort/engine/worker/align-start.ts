import { closeSync, openSync, readSync } from "node:fs";

/**
 * Where the first record begins at or behind `from`: right there when the byte before it is a delimiter, else behind
 * the next one. Never behind `to`: there begins nothing that belongs to this range.
 */
export function alignStart(
  path: string,
  from: number,
  to: number,
  delimiter: number,
): number {
  if (from === 0) return 0;
  const fd = openSync(path, "r");
  try {
    const piece = Buffer.alloc(65_536);
    let at = from - 1;
    while (at < to) {
      const bytes = readSync(fd, piece, 0, piece.length, at);
      if (bytes === 0) return to;
      const found = piece.subarray(0, bytes).indexOf(delimiter);
      if (found >= 0) return Math.min(at + found + 1, to);
      at += bytes;
    }
    return to;
  } finally {
    closeSync(fd);
  }
}
