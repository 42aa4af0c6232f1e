import { closeSync, openSync, readSync } from "node:fs";

/** The number, from 1, of the line that a byte of a file lies in. It reads all before it: for errors only. */
export function lineOf(path: string, offset: number): number {
  const fd = openSync(path, "r");
  try {
    const piece = Buffer.alloc(1 << 20);
    let line = 1;
    let at = 0;
    while (at < offset) {
      const most = Math.min(piece.length, offset - at);
      const bytes = readSync(fd, piece, 0, most, at);
      if (bytes === 0) break;
      for (const byte of piece.subarray(0, bytes)) if (byte === 10) line++;
      at += bytes;
    }
    return line;
  } finally {
    closeSync(fd);
  }
}
