import { availableParallelism } from "node:os";
import { planOrder } from "../keys/plan-keys.ts";
import type { SortOptions } from "../sort-options.ts";
import type { SortSpec } from "../sort-spec.ts";
import { sortError } from "../sort-error.ts";
import { newControl, type Control } from "../worker/control.ts";
import { readHeads } from "./heads.ts";
import type { KnownInput } from "./inputs.ts";
import type { Job } from "./job.ts";
import type { Manifest } from "./manifest.ts";
import { shareMemory } from "./memory-budget.ts";
import { runsOf } from "./resume.ts";
import { PIPE_BYTES } from "./sort-phase.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface JobStart {
  readonly spec: SortSpec;
  readonly options: SortOptions;
  readonly found: readonly KnownInput[];
  readonly manifest: Manifest;
  readonly control: Control;
  readonly stop: AbortController;
}

/** How many threads a sort starts, before its memory is shared among them. */
export function wantedWorkers({ workers }: SortOptions): number {
  return workers ?? availableParallelism() + 1;
}

/** Plans the order, shares the memory, and sets the workers up. Also returns the first header. */
export async function openJob(
  start: JobStart,
  pool: WorkerPool,
): Promise<{ job: Job; head: Uint8Array }> {
  const { spec, options, manifest, control, stop } = start;
  const { inputs, heads, head, names } = await readHeads(
    spec,
    start.found,
    stop.signal,
  );
  const plan = planOrder(spec, names);
  const order = {
    ...plan.order,
    hashing: options.verify === true && isWhole(spec),
  };
  const { arenaBytes, maxRecordBytes, indexBytes, workers } = planMemory(
    options,
    pool.workers.length,
    pipesOf(spec, inputs, pool.workers.length),
    plan.keys.kind === "none",
  );
  const used = { ...pool, workers: pool.workers.slice(0, workers) };
  await pool.setUp({
    control: control.shared,
    order,
    keys: plan.keys,
    kernel: options.kernel ?? "auto",
    arenaBytes,
    maxRecordBytes,
    durable: options.durable === true,
  });
  const job: Job = {
    spec,
    options,
    inputs,
    heads: heads.map(({ length }) => length),
    plan: { ...plan, order },
    control,
    manifest,
    pool: used,
    arenaBytes,
    maxRecordBytes,
    indexBytes,
    stop,
    runs: runsOf(manifest),
    nextRun: nextRunOf(manifest),
    reused: 0,
  };
  return { job, head };
}

function planMemory(
  options: SortOptions,
  wanted: number,
  pipes: number,
  isPlain: boolean,
) {
  const shared = shareMemory(
    options.memory,
    wanted,
    process.memoryUsage.rss(),
    pipes * PIPE_BYTES,
  );
  // Room for it in the arena, in a merge's output, and in a buffer for each of a few runs.
  const maxRecordBytes = Math.floor(shared.arenaBytes / (isPlain ? 8 : 16));
  return { ...shared, maxRecordBytes };
}

/** What comes and goes by this thread: an input's pipe, buffers and leftovers, and later a pipe a worker and one to spare. */
function pipesOf(
  { output }: SortSpec,
  inputs: readonly KnownInput[],
  workers: number,
): number {
  const isPiped = inputs.some(({ path }) => path === undefined);
  const { compression = "none" } = output;
  const isOrdered = output.kind === "stream" || compression !== "none";
  return Math.max(isPiped ? workers + 6 : 0, isOrdered ? workers + 1 : 0);
}

/** Where records are left out, their sum says nothing. */
function isWhole({ unique, top }: SortSpec): boolean {
  return unique === undefined && top === undefined;
}

function nextRunOf({ lines }: Manifest): number {
  return lines.reduce((next, line) => {
    const run = line.kind === "merged" ? line.run : line;
    return run.kind === "run" ? Math.max(next, run.id + 1) : next;
  }, 0);
}

/** What ends a job's work: aborted when the caller gives up, or when a part of it has failed. */
export interface JobStop extends Disposable {
  readonly stop: AbortController;
  readonly control: Control;
}

/** Links a job's end to its caller's signal. Disposing of it lets go of inputs that are still open. */
export function openStop(
  signal: AbortSignal | undefined,
  what: "sort" | "check",
): JobStop {
  const stop = new AbortController();
  const control = newControl();
  const cancel = () => {
    control.cancel();
    stop.abort(sortError("CANCELLED", `the ${what} was cancelled`));
  };
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  return {
    stop,
    control,
    [Symbol.dispose]() {
      signal?.removeEventListener("abort", cancel);
      stop.abort();
    },
  };
}
