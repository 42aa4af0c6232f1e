import { closeSync, openSync, readSync } from "node:fs";
import type { Control } from "./control.ts";
import { openPipe } from "./pipe.ts";
import type { ChunkSource } from "./tasks.ts";

/** Reads a chunk's bytes one after the other, blocking. */
export interface ChunkReader extends Disposable {
  readonly name: string;
  /** Where in the input the next byte is. */
  readonly position: number;
  /** Reads up to target's length; 0 at the input's end. */
  read(target: Uint8Array): number;
}

export function openChunk(source: ChunkSource, control: Control): ChunkReader {
  return source.kind === "file"
    ? readFileRange(source)
    : readPipe(source, control);
}

function readFileRange(
  source: Extract<ChunkSource, { kind: "file" }>,
): ChunkReader {
  const fd = openSync(source.path, "r");
  let position = source.from;
  return {
    name: source.path,
    get position() {
      return position;
    },
    read(target) {
      const bytes = readSync(fd, target, 0, target.length, position);
      position += bytes;
      return bytes;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function readPipe(
  source: Extract<ChunkSource, { kind: "pipe" }>,
  control: Control,
): ChunkReader {
  const pipe = openPipe(source.pipe);
  let carry = source.carry;
  let position = source.from;
  return {
    name: source.name,
    get position() {
      return position;
    },
    read(target) {
      const bytes =
        carry.length > 0
          ? takeCarry(target)
          : pipe.readSync(target, control.throwIfCancelled);
      position += bytes;
      return bytes;
    },
    [Symbol.dispose]() {},
  };

  function takeCarry(target: Uint8Array): number {
    const piece = carry.subarray(0, target.length);
    target.set(piece);
    carry = carry.subarray(piece.length);
    return piece.length;
  }
}
