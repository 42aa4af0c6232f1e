import { ENTRY, RESULT, storedBytes } from "../kernel/kernel.ts";
import { BLOCK_BYTES } from "../run-file.ts";
import type { WorkerDeps } from "./chunk.ts";
import { GATHER, type RunWriter } from "./run-writer.ts";

/** Writes the records of sorted entries as a run. */
export function writeRun(
  deps: WorkerDeps,
  writer: RunWriter,
  entries: number,
  count: number,
): void {
  const { kernel } = deps;
  let at = GATHER.start;
  let done = 0;
  while (done < count) {
    const entry = entries + done * ENTRY;
    kernel.gather(entry, count - done, at, BLOCK_BYTES);
    const taken = kernel.view.getUint32(RESULT, true);
    const bytes = kernel.view.getUint32(RESULT + 4, true);
    if (taken === 0) {
      writer.write(GATHER.start, at - GATHER.start);
      at = GATHER.start;
      writeLongRecord(deps, writer, entry);
      done++;
      continue;
    }
    noteBlock(deps, writer, at, bytes);
    at += bytes;
    done += taken;
    if (GATHER.end - at < BLOCK_BYTES) {
      writer.write(GATHER.start, at - GATHER.start);
      at = GATHER.start;
    }
  }
  writer.write(GATHER.start, at - GATHER.start);
}

/** A record longer than a block is a block of its own, written from where it lies. */
function writeLongRecord(
  deps: WorkerDeps,
  writer: RunWriter,
  entry: number,
): void {
  const { kernel, order } = deps;
  const record = kernel.view.getUint32(entry + 8, true);
  const bytes = storedBytes(order, kernel.view.getUint32(entry + 12, true));
  noteBlock(deps, writer, record, bytes);
  writer.write(record, bytes);
}

function noteBlock(
  deps: WorkerDeps,
  writer: RunWriter,
  from: number,
  bytes: number,
): void {
  const { kernel } = deps;
  const prefix = kernel.prefixOf(from, kernel.lengthAt(from, from + bytes));
  writer.add(from, bytes, outBytesOf(deps, from, from + bytes), prefix);
}

/** What whole records take in the output: all but the keys stored with them. */
export function outBytesOf(
  { kernel, order }: WorkerDeps,
  from: number,
  end: number,
): number {
  if (order.layout !== "keyed") return end - from;
  const { view } = kernel;
  let bytes = 0;
  let at = from;
  while (at < end) {
    const record = view.getUint32(at + 4, true);
    bytes += record;
    at += 8 + view.getUint32(at, true) + record;
  }
  return bytes;
}
