import { join } from "node:path";
import { newPipe, type Pipe } from "../worker/pipe.ts";
import type { ChunkRead, ChunkSource } from "../worker/tasks.ts";
import { ChunkQueue, type ChunkItem } from "./chunk-queue.ts";
import { inputBytes } from "./input-bytes.ts";
import { checkUnchanged } from "./inputs.ts";
import { together, type Job } from "./job.ts";
import { planChunks } from "./plan-chunks.ts";
import type { SortWorker } from "./worker-pool.ts";

export const PIPE_BYTES = 4 << 20;

/** Makes runs of all that is not in runs yet. */
export async function sortInputs(job: Job): Promise<void> {
  await forEachChunk(job, (worker, item, source, onRead) =>
    sortOne(job, worker, item, source, onRead),
  );
  job.inputs.forEach(checkUnchanged);
  job.runs = job.runs.toSorted((a, b) => a.input - b.input || a.from - b.from);
}

/** What is done with a chunk; `onRead` must hear what was read as soon as it was. Returns when the chunk is done with. */
export type ChunkWork = (
  worker: SortWorker,
  item: ChunkItem,
  source: ChunkSource,
  onRead: (read: ChunkRead) => ChunkEdge,
) => Promise<void>;

/** Where a chunk turned out to end, and whether the input does. */
export interface ChunkEdge {
  readonly to: number;
  readonly isEnd: boolean;
}

/** Gives all chunks of all inputs to the workers. */
export async function forEachChunk(job: Job, work: ChunkWork): Promise<void> {
  const items = planChunks(job);
  const queue = new ChunkQueue(items);
  const feeds = startFeeds(job, items);
  const lanes = job.pool.workers.map(async (worker) => {
    for (let item = await queue.take(); item; item = await queue.take()) {
      await workOn(job, worker, queue, item, sourceOf(job, item, feeds), work);
    }
  });
  await together(job, [...lanes, ...feeds.values().map(({ done }) => done)]);
}

async function workOn(
  job: Job,
  worker: SortWorker,
  queue: ChunkQueue,
  item: ChunkItem,
  source: ChunkSource,
  work: ChunkWork,
): Promise<void> {
  let hasTold = false;
  const onRead = (read: ChunkRead): ChunkEdge => {
    const rest = restOf(item, source, read);
    hasTold = true;
    queue.wasRead(rest);
    const end = source.kind === "pipe" ? read.consumedTo : item.to;
    return { to: rest?.from ?? end, isEnd: rest === undefined };
  };
  try {
    await work(worker, item, source, onRead);
  } finally {
    // Those who wait for what this chunk leaves must not wait for ever.
    if (!hasTold) queue.wasRead();
  }
}

/** An input that only this thread can read, on its way to the workers. */
interface Feed {
  readonly pipe: Pipe;
  readonly done: Promise<void>;
}

function startFeeds(job: Job, items: readonly ChunkItem[]): Map<number, Feed> {
  const piped = items.filter(({ input }) => !job.inputs[input]?.path);
  return new Map(
    piped.map(({ input, from }) => {
      const pipe = newPipe(PIPE_BYTES);
      return [input, { pipe, done: feed(job, input, from, pipe) }];
    }),
  );
}

async function feed(
  job: Job,
  input: number,
  from: number,
  pipe: Pipe,
): Promise<void> {
  const known = job.inputs[input];
  if (!known) return;
  const { signal } = job.stop;
  try {
    for await (const piece of inputBytes(known, from, signal)) {
      await pipe.write(piece, signal);
    }
  } finally {
    pipe.close();
  }
}

async function sortOne(
  job: Job,
  worker: SortWorker,
  item: ChunkItem,
  source: ChunkSource,
  onRead: (read: ChunkRead) => ChunkEdge,
): Promise<void> {
  const id = job.nextRun++;
  let edge: ChunkEdge = { to: item.to, isEnd: false };
  const task = {
    kind: "sort",
    source,
    runPath: runPath(job, id),
    top: job.spec.top ?? Infinity,
    mayStay: mayStay(job),
  } as const;
  const run = await worker.run(task, (read) => {
    edge = onRead(read);
  });
  const { input, from } = item;
  const line = { ...run, kind: "run", id, input, from, to: edge.to } as const;
  job.manifest.append(line);
  job.runs.push(line);
  if (edge.isEnd && source.kind === "pipe") {
    job.manifest.append({ kind: "end", input, size: edge.to });
  }
}

function restOf(
  item: ChunkItem,
  source: ChunkSource,
  read: ChunkRead,
): ChunkItem | undefined {
  const isOver = read.atEnd && read.carry.length === 0;
  if (isOver || read.consumedTo >= item.to) return undefined;
  const carry = source.kind === "pipe" ? read.carry : new Uint8Array();
  return { ...item, from: read.consumedTo, carry };
}

function sourceOf(
  job: Job,
  item: ChunkItem,
  feeds: ReadonlyMap<number, Feed>,
): ChunkSource {
  const known = job.inputs[item.input];
  const { from, to, carry } = item;
  const name = known?.name ?? "";
  if (known?.path !== undefined) {
    return { kind: "file", path: known.path, from, to, size: known.size ?? 0 };
  }
  const pipe = feeds.get(item.input)?.pipe.shared ?? new SharedArrayBuffer(0);
  return { kind: "pipe", name, pipe, from, to, carry };
}

/** Sorted chunks of plain records may stay in the input. */
function mayStay({ plan, spec }: Job): boolean {
  return plan.keys.kind === "none" && spec.top === undefined;
}

export function runPath(job: Job, id: number): string {
  return join(job.options.jobFolder, `run-${String(id).padStart(6, "0")}`);
}
