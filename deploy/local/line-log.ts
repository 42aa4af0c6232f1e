import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const MAX_BYTES = 16 * 1024 * 1024;
const REMEMBERED_LINES = 20;

export interface LineLog {
  write(line: string): void;
  /** The last lines, to say why a process died. */
  tail(): string[];
  close(): void;
}

/**
 * Appends lines to `file`. At `maxBytes` the file becomes `<file>.1`, so a
 * process keeps at most twice that on the disk. Writes are synchronous: a line
 * is in the file before a crash of this process can lose it.
 */
export function openLineLog(file: string, maxBytes = MAX_BYTES): LineLog {
  mkdirSync(dirname(file), { recursive: true });
  let descriptor: number | undefined = openSync(file, "a");
  let size = fstatSync(descriptor).size;
  const remembered: string[] = [];

  function rotate(current: number): number {
    closeSync(current);
    renameSync(file, `${file}.1`);
    size = 0;
    return openSync(file, "a");
  }

  return {
    write(line) {
      remembered.push(line);
      if (remembered.length > REMEMBERED_LINES) remembered.shift();
      if (descriptor === undefined) return;
      const bytes = Buffer.from(`${line}\n`);
      if (size + bytes.length > maxBytes) descriptor = rotate(descriptor);
      size += writeSync(descriptor, bytes);
    },
    tail: () => [...remembered],
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
