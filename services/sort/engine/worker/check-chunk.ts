import { ENTRY, storedBytes } from "../kernel/kernel.ts";
import type { Chunk, WorkerDeps } from "./chunk.ts";
import { readChunk } from "./sort-chunk.ts";
import type { Checked, CheckTask, ChunkRead } from "./tasks.ts";

/** Tells whether a chunk's records are in order, and what is needed to look at its edges. */
export function checkChunk(
  deps: WorkerDeps,
  task: CheckTask,
  onRead: (read: ChunkRead) => void,
): Checked {
  const chunk = readChunk(deps, task.source, task.strict);
  onRead({
    consumedTo: chunk.consumedTo,
    records: chunk.records,
    atEnd: chunk.atEnd,
    carry: chunk.carry,
  });
  const at = (index: number) => storedAt(deps, chunk, index);
  return {
    records: chunk.records,
    disorder: chunk.disorder,
    first: at(0),
    last: at(chunk.count - 1),
    wrong: at(chunk.disorder),
  };
}

function storedAt(
  { kernel, order }: WorkerDeps,
  chunk: Chunk,
  index: number,
): Uint8Array {
  if (index < 0 || index >= chunk.count) return new Uint8Array();
  const entry = chunk.entries + index * ENTRY;
  const record = kernel.view.getUint32(entry + 8, true);
  const length = kernel.view.getUint32(entry + 12, true);
  return kernel.bytes.slice(record, record + storedBytes(order, length));
}
