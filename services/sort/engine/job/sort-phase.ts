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
  const items = planChunks(job);
  const queue = new ChunkQueue(items);
  const feeds = startFeeds(job, items);
  const work = job.pool.workers.map((worker) =>
    sortChunks(job, worker, queue, feeds),
  );
  await together(job, [...work, ...feeds.values().map(({ done }) => done)]);
  job.inputs.forEach(checkUnchanged);
  job.runs = job.runs.toSorted((a, b) => a.input - b.input || a.from - b.from);
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

async function sortChunks(
  job: Job,
  worker: SortWorker,
  queue: ChunkQueue,
  feeds: ReadonlyMap<number, Feed>,
): Promise<void> {
  for (let item = await queue.take(); item; item = await queue.take()) {
    await sortOne(job, worker, queue, item, sourceOf(job, item, feeds));
  }
}

async function sortOne(
  job: Job,
  worker: SortWorker,
  queue: ChunkQueue,
  item: ChunkItem,
  source: ChunkSource,
): Promise<void> {
  const id = job.nextRun++;
  let to = item.to;
  let isEnd = false;
  const task = {
    kind: "sort",
    source,
    runPath: runPath(job, id),
    top: job.spec.top ?? Infinity,
    mayStay: mayStay(job),
  } as const;
  let hasTold = false;
  const result = worker.run(task, (read) => {
    const rest = restOf(item, source, read);
    to = rest?.from ?? (source.kind === "pipe" ? read.consumedTo : item.to);
    isEnd = rest === undefined;
    hasTold = true;
    queue.wasRead(rest);
  });
  const run = await result.finally(() => {
    // Those who wait for what this chunk leaves must not wait for ever.
    if (!hasTold) queue.wasRead();
  });
  const line = {
    ...run,
    kind: "run",
    id,
    input: item.input,
    from: item.from,
    to,
  } as const;
  job.manifest.append(line);
  job.runs.push(line);
  if (isEnd && source.kind === "pipe") {
    job.manifest.append({ kind: "end", input: item.input, size: to });
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
