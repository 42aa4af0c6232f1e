import { closeSync, openSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ENTRY, storedBytes } from "../kernel/kernel.ts";
import { BLOCK_BYTES, encodeIndex, RunIndexBuilder } from "../run-file.ts";
import { alignStart } from "./align-start.ts";
import { openChunk } from "./chunk-reader.ts";
import type { Chunk, WorkerDeps } from "./chunk.ts";
import { fillKeyed } from "./fill-keyed.ts";
import { fillLines } from "./fill-lines.ts";
import { RunWriter, writeAll } from "./run-writer.ts";
import type { ChunkRead, ChunkSource, SortedRun, SortTask } from "./tasks.ts";
import { writeRun } from "./write-run.ts";

/** Reads a chunk, tells where the next one begins, sorts it and writes it as a run. */
export function sortChunk(
  deps: WorkerDeps,
  task: SortTask,
  onRead: (read: ChunkRead) => void,
): SortedRun {
  const chunk = readChunk(deps, task.source);
  onRead({
    consumedTo: chunk.consumedTo,
    records: chunk.records,
    atEnd: chunk.atEnd,
    carry: chunk.carry,
  });
  const { kernel } = deps;
  const isSorted = chunk.disorder < 0 && chunk.count === chunk.records;
  if (!isSorted) kernel.sortEntries(chunk.entries, chunk.spare, chunk.count);
  const count = selectRecords(deps, task, chunk);
  const run = {
    records: count,
    longest: chunk.longest,
    hash: String(chunk.hash),
  };
  if (isSorted && canStay(task, chunk, count)) {
    return { ...run, ...writeIndexOnly(deps, task, chunk) };
  }
  using writer = new RunWriter(deps, task.runPath);
  writeRun(deps, writer, chunk.entries, count);
  writer.finish();
  const { bytes, outBytes, tempBytes } = writer;
  return { ...run, bytes, outBytes, tempBytes, dataPath: undefined };
}

/** Reads the records that begin in a source's range into the arena. */
export function readChunk(
  deps: WorkerDeps,
  source: ChunkSource,
  strict = false,
): Chunk {
  const aligned = alignSource(deps, source);
  using reader = openChunk(aligned, deps.control);
  return deps.extractor === undefined
    ? fillLines(deps, aligned, reader, strict)
    : fillKeyed(deps, deps.extractor, aligned, reader, strict);
}

function alignSource(deps: WorkerDeps, source: ChunkSource): ChunkSource {
  if (source.kind !== "file" || !deps.setup.keys.isAnywhere) return source;
  const { delimiter } = deps.order;
  const from = alignStart(source.path, source.from, source.to, delimiter);
  return { ...source, from };
}

/** Drops what unique and top leave out, and tells the others when this run alone fills the top. */
function selectRecords(deps: WorkerDeps, task: SortTask, chunk: Chunk): number {
  const { kernel, order, control } = deps;
  const count =
    order.unique === "no"
      ? chunk.count
      : kernel.dropEqual(chunk.entries, chunk.count, order.unique === "last");
  if (count < task.top) return count;
  const entry = chunk.entries + (task.top - 1) * ENTRY;
  const record = kernel.view.getUint32(entry + 8, true);
  const length = kernel.view.getUint32(entry + 12, true);
  if (task.top > 0) control.lowerThreshold(kernel.prefixOf(record, length));
  return task.top;
}

function canStay(task: SortTask, chunk: Chunk, count: number): boolean {
  return (
    task.mayStay &&
    task.source.kind === "file" &&
    count === chunk.records &&
    !chunk.isCompleted
  );
}

/** A sorted chunk of plain records stays in the input: its run is the index alone. */
function writeIndexOnly(deps: WorkerDeps, task: SortTask, chunk: Chunk) {
  const { kernel, order, control } = deps;
  const { view } = kernel;
  const index = new RunIndexBuilder();
  const base = chunk.count > 0 ? view.getUint32(chunk.entries + 8, true) : 0;
  let block = base;
  let at = base;
  const note = (end: number) => {
    const length = kernel.lengthAt(block, end);
    const offset = chunk.start + block - base;
    const crc = crc32(kernel.bytes.subarray(block, end));
    index.add(offset, block - base, kernel.prefixOf(block, length), crc);
    block = end;
  };
  for (let i = 0; i < chunk.count; i++) {
    const length = view.getUint32(chunk.entries + i * ENTRY + 12, true);
    const next = at + storedBytes(order, length);
    if (next - block > BLOCK_BYTES && at > block) note(at);
    at = next;
  }
  if (at > block) note(at);
  const bytes = at - base;
  const encoded = encodeIndex(index.build(chunk.start + bytes, bytes));
  control.takeTemp(encoded.length);
  const fd = openSync(task.runPath, "w");
  try {
    writeAll(fd, encoded);
  } finally {
    closeSync(fd);
  }
  const dataPath = task.source.kind === "file" ? task.source.path : undefined;
  return { bytes, outBytes: bytes, tempBytes: encoded.length, dataPath };
}
