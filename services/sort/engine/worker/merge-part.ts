import { ARENA, RESULT, SLACK, SOURCE } from "../kernel/kernel.ts";
import { BLOCK_BYTES, readIndex } from "../run-file.ts";
import { OUT_BYTES, type Area } from "./arena.ts";
import type { WorkerDeps } from "./chunk.ts";
import { openOutput, type MergeOutput } from "./merge-output.ts";
import { MergeSource } from "./merge-source.ts";
import { PAGE } from "./page-writer.ts";
import type { Merged, MergeTask, Slice, WholeRun } from "./tasks.ts";

/** The most that a source's buffer holds, unless a record is longer: longer reads cost no less a byte. */
const MOST_BUFFER = 8 << 20;

interface MergeLayout {
  readonly state: number;
  readonly hold: number;
  readonly out: Area;
  readonly buffers: readonly Area[];
}

/** Merges slices of runs, in the order of the runs where records are equal. */
export function mergePart(deps: WorkerDeps, task: MergeTask): Merged {
  const layout = layOut(deps, task);
  using output = openOutput(deps, task, layout.out);
  using sources = new DisposableStack();
  const opened = task.slices.map((slice, i) =>
    sources.use(new MergeSource(deps, sliceOf(slice), bufferOf(layout, i))),
  );
  const merged = canCopy(deps, task)
    ? copy(deps, opened, output)
    : opened.length > 0
      ? merge(deps, task, layout, opened, output)
      : nothing(output);
  return { ...merged, crc: output.crc, tempBytes: output.tempBytes };
}

function sliceOf(slice: Slice | WholeRun): Slice {
  if ("index" in slice) return slice;
  const index = readIndex(slice.indexPath);
  const from = index.offsets[0] ?? 0;
  const to = index.offsets[index.blocks] ?? 0;
  return { data: slice.data, index, from, to };
}

/** How many sources one merge can take: each needs room for its longest block. */
export function mostSources(
  arenaBytes: number,
  longest: number,
  blockBytes: number,
): number {
  const room = arenaBytes - ARENA - outBytes(longest) - longest - 4 * SLACK;
  const each = Math.max(2 * blockBytes, longest + blockBytes) + SLACK + SOURCE;
  return Math.min(512, Math.floor(room / each));
}

/** What is written past the page cache begins anywhere in the first page. */
function outBytes(longest: number): number {
  return Math.max(OUT_BYTES, longest) + PAGE;
}

function layOut(deps: WorkerDeps, task: MergeTask): MergeLayout {
  const count = task.slices.length;
  const out = { start: ARENA, end: ARENA + outBytes(task.longest) };
  const state = align(out.end + SLACK);
  const hold = align(state + count * SOURCE + SLACK);
  const isHolding = deps.order.unique !== "no";
  const first = align(hold + (isHolding ? task.longest : 0) + SLACK);
  const room = deps.setup.arenaBytes - first - SLACK;
  const most = Math.max(MOST_BUFFER, task.longest + BLOCK_BYTES + SLACK);
  const each = Math.min(most, Math.floor(room / Math.max(1, count)));
  const buffers = task.slices.map((_, i) => ({
    start: first + i * each,
    end: first + (i + 1) * each,
  }));
  return { state, hold, out, buffers };
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

function bufferOf(layout: MergeLayout, index: number): Area {
  // One buffer was laid out for each slice.
  return layout.buffers[index] as Area;
}

/** The records of a single slice need no comparison, if they are put out as they are stored. */
function canCopy({ order }: WorkerDeps, task: MergeTask): boolean {
  return (
    task.slices.length === 1 &&
    task.target.kind !== "run" &&
    order.layout !== "keyed" &&
    order.unique === "no" &&
    !order.hashing &&
    task.limit === Infinity
  );
}

type Counts = Omit<Merged, "crc" | "tempBytes">;

function nothing(output: MergeOutput): Counts {
  output.finish(output.from);
  return { bytes: 0, outBytes: 0, records: 0, hash: "0" };
}

function copy(
  deps: WorkerDeps,
  [source]: readonly MergeSource[],
  output: MergeOutput,
): Counts {
  const { kernel, control } = deps;
  let bytes = 0;
  let at = output.from;
  for (;;) {
    control.throwIfCancelled();
    const { start, end } = source?.refill() ?? { start: 0, end: 0 };
    if (start === end) break;
    for (let from = start; from < end; from += output.capacity) {
      const to = Math.min(end, from + output.capacity);
      kernel.bytes.copyWithin(at, from, to);
      at = output.write(at, at + to - from);
    }
    control.addMerged(end - start);
    bytes += end - start;
  }
  output.finish(at);
  return { bytes, outBytes: bytes, records: -1, hash: "0" };
}

function merge(
  deps: WorkerDeps,
  task: MergeTask,
  layout: MergeLayout,
  sources: readonly MergeSource[],
  output: MergeOutput,
): Counts {
  const { kernel, control } = deps;
  const { view } = kernel;
  const strip = task.target.kind !== "run";
  const limit = BigInt(Math.min(task.limit, Number.MAX_SAFE_INTEGER));
  kernel.startMerge(layout.state, sources.length, strip, layout.hold, limit);
  const feed = (source: MergeSource, i: number) => {
    const piece = source.refill();
    kernel.feedSource(i, piece.start, piece.end);
  };
  sources.forEach(feed);
  kernel.buildTree();
  let bytes = 0;
  let from = output.from;
  let filled = from;
  for (let stop = 0; stop >= 0;) {
    const room = from + output.capacity - filled;
    stop = kernel.merge(filled, room);
    const written = view.getUint32(RESULT, true);
    filled += written;
    bytes += written;
    control.addMerged(written);
    if (stop > 0) {
      // The kernel names sources that it was given.
      feed(sources[stop - 1] as MergeSource, stop - 1);
      kernel.resumeSource(stop - 1);
    } else {
      control.throwIfCancelled();
      from = filled = output.write(from, filled);
    }
  }
  output.finish(filled);
  return {
    bytes,
    outBytes: bytes,
    records: Number(view.getBigUint64(RESULT + 8, true)),
    hash: String(view.getBigUint64(RESULT + 16, true)),
  };
}
