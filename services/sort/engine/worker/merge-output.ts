import { fsyncSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Area } from "./arena.ts";
import type { WorkerDeps } from "./chunk.ts";
import { openPipe } from "./pipe.ts";
import { PAGE, PageWriter } from "./page-writer.ts";
import { RunWriter } from "./run-writer.ts";
import type { MergeTask } from "./tasks.ts";
import { outBytesOf } from "./write-run.ts";

/** What a pipe is given at once. */
const PIPE_STEP = 1 << 20;

/** Where merged records go. */
export interface MergeOutput extends Disposable {
  /** The most that is put before it is written; any record fits. */
  readonly capacity: number;
  readonly crc: number;
  readonly tempBytes: number;
  /** Where the first record belongs. */
  readonly from: number;
  /** Takes what was put from `from` to `end`, and tells where the next record belongs. */
  write(from: number, end: number): number;
  /** Nothing follows what lies up to `end`, which is what the last `write` returned. */
  finish(end: number): void;
}

export function openOutput(
  deps: WorkerDeps,
  { target, longest }: MergeTask,
  room: Area,
): MergeOutput {
  switch (target.kind) {
    case "file":
      return fileOutput(deps, target, room);
    case "pipe":
      return pipeOutput(deps, target.pipe, room, longest);
    case "run":
      return runOutput(deps, target, room, longest);
  }
}

type FileTarget = Extract<MergeTask["target"], { kind: "file" }>;

function fileOutput(
  deps: WorkerDeps,
  target: FileTarget,
  room: Area,
): MergeOutput {
  const { kernel, setup } = deps;
  const file = new PageWriter(kernel, room.start, target);
  let crc = 0;
  return {
    capacity: room.end - room.start - PAGE,
    from: file.from,
    tempBytes: 0,
    get crc() {
      return crc;
    },
    write(from, end) {
      crc = crc32(kernel.bytes.subarray(from, end), crc);
      return file.write(end);
    },
    finish(end) {
      file.flush(end);
      if (setup.durable) fsyncSync(file.fd);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

function pipeOutput(
  deps: WorkerDeps,
  shared: SharedArrayBuffer,
  room: Area,
  longest: number,
): MergeOutput {
  const pipe = openPipe(shared);
  return {
    capacity: Math.max(PIPE_STEP, longest),
    from: room.start,
    tempBytes: 0,
    crc: 0,
    write(from, end) {
      const piece = deps.kernel.bytes.subarray(from, end);
      pipe.writeSync(piece, deps.control.throwIfCancelled);
      return room.start;
    },
    finish: () => pipe.close(),
    [Symbol.dispose]: () => pipe.close(),
  };
}

type RunTarget = Extract<MergeTask["target"], { kind: "run" }>;

function runOutput(
  deps: WorkerDeps,
  { path, blockBytes }: RunTarget,
  room: Area,
  longest: number,
): MergeOutput {
  const writer = new RunWriter(deps, path);
  const { kernel } = deps;
  return {
    capacity: Math.max(blockBytes, longest),
    from: room.start,
    crc: 0,
    get tempBytes() {
      return writer.tempBytes;
    },
    write(from, end) {
      if (end === from) return end;
      const prefix = kernel.prefixOf(from, kernel.lengthAt(from, end));
      writer.add(from, end - from, outBytesOf(deps, from, end), prefix);
      writer.write(from, end - from);
      return room.start;
    },
    finish: () => writer.finish(),
    [Symbol.dispose]: () => writer[Symbol.dispose](),
  };
}
