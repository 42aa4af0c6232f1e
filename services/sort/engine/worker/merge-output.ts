import { closeSync, fsyncSync, openSync } from "node:fs";
import { crc32 } from "node:zlib";
import { BLOCK_BYTES } from "../run-file.ts";
import type { Area } from "./arena.ts";
import type { WorkerDeps } from "./chunk.ts";
import { openPipe } from "./pipe.ts";
import { RunWriter, writeAll } from "./run-writer.ts";
import type { MergeTarget } from "./tasks.ts";
import { outBytesOf } from "./write-run.ts";

/** Where merged records go. */
export interface MergeOutput extends Disposable {
  /** The most that is merged at once. */
  readonly stepBytes: number;
  readonly crc: number;
  readonly tempBytes: number;
  write(from: number, bytes: number): void;
  finish(): void;
}

export function openOutput(
  deps: WorkerDeps,
  target: MergeTarget,
  room: Area,
): MergeOutput {
  switch (target.kind) {
    case "file":
      return fileOutput(deps, target.path, target.position, room);
    case "pipe":
      return pipeOutput(deps, target.pipe, room);
    case "run":
      return runOutput(deps, target.path, room);
  }
}

function fileOutput(
  deps: WorkerDeps,
  path: string,
  position: number,
  room: Area,
): MergeOutput {
  const fd = openSync(path, "r+");
  let crc = 0;
  let at = position;
  return {
    stepBytes: room.end - room.start,
    tempBytes: 0,
    get crc() {
      return crc;
    },
    write(from, bytes) {
      const piece = deps.kernel.bytes.subarray(from, from + bytes);
      crc = crc32(piece, crc);
      writeAll(fd, piece, at);
      at += bytes;
    },
    finish() {
      if (deps.setup.durable) fsyncSync(fd);
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function pipeOutput(
  deps: WorkerDeps,
  shared: SharedArrayBuffer,
  room: Area,
): MergeOutput {
  const pipe = openPipe(shared);
  return {
    stepBytes: Math.min(1 << 20, room.end - room.start),
    tempBytes: 0,
    crc: 0,
    write: (from, bytes) =>
      pipe.writeSync(
        deps.kernel.bytes.subarray(from, from + bytes),
        deps.control.throwIfCancelled,
      ),
    finish: () => pipe.close(),
    [Symbol.dispose]: () => pipe.close(),
  };
}

function runOutput(deps: WorkerDeps, path: string, room: Area): MergeOutput {
  const writer = new RunWriter(deps, path);
  const { kernel } = deps;
  return {
    stepBytes: Math.min(BLOCK_BYTES, room.end - room.start),
    crc: 0,
    get tempBytes() {
      return writer.tempBytes;
    },
    write(from, bytes) {
      if (bytes === 0) return;
      const prefix = kernel.prefixOf(from, kernel.lengthAt(from, from + bytes));
      writer.add(from, bytes, outBytesOf(deps, from, from + bytes), prefix);
      writer.write(from, bytes);
    },
    finish: () => writer.finish(),
    [Symbol.dispose]: () => writer[Symbol.dispose](),
  };
}
