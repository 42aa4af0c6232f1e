import { rm } from "node:fs/promises";
import type { Database } from "../../platform/data/database.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { JobWork, WorkEnd } from "../clients/job-process.ts";
import {
  abandonRun,
  runOperation,
  SparkAway,
  type SparkClient,
  type Stages,
} from "../clients/spark/operation.ts";
import { countPlan, sortPlan } from "../clients/spark/plan.ts";
import { partsOf } from "../clients/spark/totals.ts";
import type {
  JobProgress,
  JobResult,
  OutputPart,
  Placement,
  SortJob,
  SparkRun,
  Totals,
} from "../domain/sort-job.ts";
import { placeJob, type LeasedJob } from "../store/job-leases.ts";
import { newRun } from "./place-job.ts";
import {
  differs,
  outputTaken,
  partsIn,
  publishOutput,
  readCounts,
  readManifest,
  type Manifest,
} from "./spark-output.ts";
import {
  exists,
  lookAtInputs,
  sharedOutput,
  type SharedInputs,
  type SparkPlacesDeps,
} from "./spark-places.ts";

export interface SparkWorkDeps extends SparkPlacesDeps {
  readonly client: SparkClient;
  readonly db: Database;
  readonly logger: Logger;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** Jobs on Spark, as those who run jobs see them. */
export interface Spark {
  start(leased: LeasedJob, tell: (progress: JobProgress) => void): JobWork;
  /** Stops what runs there for a job, and removes what it left. */
  abandon(job: SortJob): Promise<void>;
}

/** How long Spark may take to stop a job. */
const abandonMs = 15_000;
/** A job that Spark forgets this often is given up. */
const maxRuns = 4;
/** Parts that a job tells of; its manifest has all. */
const maxPartsTold = 1_000;

export function sparkJobs(deps: SparkWorkDeps): Spark {
  return {
    start: (leased, tell) => startSparkWork(deps, leased, tell),
    abandon: (job) => abandon(deps, job),
  };
}

/**
 * Has Spark do a job, and follows it. Whoever takes the job over finds the operation under the names that are stored with
 * it; the output is written beside its place, counted, compared with what was read, and renamed.
 */
function startSparkWork(
  deps: SparkWorkDeps,
  leased: LeasedJob,
  tell: (progress: JobProgress) => void,
): JobWork {
  const stop = new AbortController();
  let isCancelled = false;
  const work = async (): Promise<WorkEnd> => {
    try {
      const result = await sortOnSpark(deps, leased, tell, stop.signal);
      return { kind: "done", result };
    } catch (error) {
      if (isCancelled) {
        await stopThere(deps, leased.job);
        return {
          kind: "failed",
          failure: {
            reason: "CANCELLED",
            message: "the job was cancelled",
            metadata: {},
          },
        };
      }
      return endOf(deps, leased.job, error, stop.signal);
    }
  };
  return {
    ended: work(),
    // Spark works on by itself.
    renew: () => undefined,
    cancel() {
      isCancelled = true;
      stop.abort(new Error("cancelled"));
    },
    kill: () => stop.abort(new Error("let go")),
  };
}

async function stopThere(deps: SparkWorkDeps, job: SortJob): Promise<void> {
  try {
    await abandon(deps, job);
  } catch (error) {
    const about = { err: error, job: job.id };
    deps.logger.warn(about, "Spark may still work on a job that is cancelled");
  }
}

function endOf(
  { logger }: SparkWorkDeps,
  job: SortJob,
  error: unknown,
  signal: AbortSignal,
): WorkEnd {
  if (signal.aborted || error instanceof SparkAway) {
    return { kind: "lost", how: "Spark is not followed any more" };
  }
  const about = { err: error, job: job.id };
  if (error instanceof DomainError) {
    logger.warn(about, "a job on Spark failed");
    const { reason, message, metadata } = error;
    return { kind: "failed", failure: { reason, message, metadata } };
  }
  // A fault of ours, or of the disk: another attempt may do better.
  logger.error(about, "following a job on Spark failed");
  return { kind: "lost", how: "it could not be followed" };
}

async function sortOnSpark(
  deps: SparkWorkDeps,
  leased: LeasedJob,
  tell: (progress: JobProgress) => void,
  signal: AbortSignal,
): Promise<JobResult> {
  const { job } = leased;
  const name = `sortJobs/${job.id}`;
  const output = await sharedOutput(deps, job);
  const known = await readManifest(output.path);
  const inputs = await lookAtInputs(deps, job);
  // Whoever had the job before may have been lost right after the last step.
  if (known?.job === name) return resultOf(known, inputs);
  if (await exists(output.path)) throw outputTaken();

  const written = await writeParts(
    deps,
    leased,
    { inputs, output },
    tell,
    signal,
  );
  const { run, read } = written;
  tell({ ...progressOf(inputs, inputs.size), phase: "finishing" });
  const aside = asideOf(output, run);
  const counted = await count(deps, run, [aside.uri], aside, signal);
  const parts = await partsIn(aside.path, counted);
  const total = sumOf(parts);
  await compare(deps, leased, { inputs, run, read, total, aside }, signal);
  const stated: Manifest = {
    job: name,
    ...total,
    recordsRead: read.records,
    parts,
  };
  await publishOutput(aside.path, output.path, stated);
  await leave(deps, run, aside, signal);
  return resultOf(stated, inputs);
}

interface Place {
  readonly path: string;
  readonly uri: string;
}

/** Where a run writes: beside the output's place, under a name of its own. */
function asideOf({ path, uri }: Place, { operationId }: SparkRun): Place {
  const suffix = `.weft-${operationId}`;
  return { path: path + suffix, uri: uri + suffix };
}

interface Written {
  readonly run: SparkRun;
  readonly read: Totals;
}

/** Has the parts written, by the run that is under way, or else by another. */
async function writeParts(
  deps: SparkWorkDeps,
  leased: LeasedJob,
  { inputs, output }: { inputs: SharedInputs; output: Place },
  tell: (progress: JobProgress) => void,
  signal: AbortSignal,
): Promise<Written> {
  const { job } = leased;
  let run = runOf(job.placement);
  if (run.read) return { run, read: run.read };
  // The first to take a job up is the first to tell Spark of it. Attempts would not tell: those that are drained don't count.
  let isBegun = leased.epoch > 1n;
  const begunAt = performance.now();
  for (let runs = 1; runs <= maxRuns; runs += 1) {
    const end = await runOperation(
      deps.client,
      {
        ...run,
        plan: sortPlan(job.plan.order, {
          inputs: inputs.uris,
          output: asideOf(output, run).uri,
        }),
        isBegun,
      },
      (stages) => tell(progressOf(inputs, bytesReadIn(stages), begunAt)),
      signal,
    );
    if (end.kind === "complete") {
      if (!end.read) throw differs("Spark did not say what it has read");
      const done = { ...run, read: end.read };
      await keep(deps, leased, done);
      return { run: done, read: end.read };
    }
    // It was restarted, or was left alone for too long: what it may have written is worth nothing.
    await removeAside(asideOf(output, run));
    run = newRun(deps).spark;
    await keep(deps, leased, run);
    isBegun = false;
  }
  throw new DomainError({
    code: "failed_precondition",
    reason: "SPARK_FAILED",
    message: `Spark forgot the job ${maxRuns} times`,
  });
}

function runOf(placement: Placement | undefined): SparkRun {
  if (!placement?.spark) throw new Error("the job is not placed on Spark");
  return placement.spark;
}

/** @throws Error where the job is somebody else's by now. */
async function keep(
  deps: SparkWorkDeps,
  leased: LeasedJob,
  spark: SparkRun,
): Promise<void> {
  const { placement } = leased.job;
  if (!placement) throw new Error("the job is not placed");
  const isOurs = await placeJob(
    deps.db,
    leased,
    { ...placement, spark },
    deps.now(),
  );
  if (!isOurs) throw new SparkAway("the job is another process's now");
}

/** What files hold, by an operation of Spark's of its own. */
async function count(
  deps: SparkWorkDeps,
  { sessionId }: SparkRun,
  uris: readonly string[],
  aside: Place,
  signal: AbortSignal,
): Promise<OutputPart[]> {
  const operationId = deps.newId();
  const suffix = `-count-${operationId}`;
  const end = await runOperation(
    deps.client,
    {
      sessionId,
      operationId,
      plan: countPlan(uris, aside.uri + suffix),
      isBegun: false,
    },
    () => undefined,
    signal,
  );
  if (end.kind === "forgotten") {
    throw new SparkAway("Spark forgot to count, and is asked again");
  }
  try {
    return partsOf(await readCounts(aside.path + suffix));
  } finally {
    await rm(aside.path + suffix, { recursive: true, force: true });
  }
}

/** @throws DomainError CHECKSUM_DIFFERS or INPUT_CHANGED. */
async function compare(
  deps: SparkWorkDeps,
  { job }: LeasedJob,
  {
    inputs,
    run,
    read,
    total,
    aside,
  }: Written & { inputs: SharedInputs; total: Totals; aside: Place },
  signal: AbortSignal,
): Promise<void> {
  const { unique, top } = job.plan.order;
  const isSame = (one: Totals) =>
    one.records === total.records && one.checksum === total.checksum;
  const isWhole = unique === undefined && top === undefined;
  let found = read;
  if (found.bytes !== inputs.bytes || (isWhole && !isSame(found))) {
    // A stage that ran twice is observed twice: the input itself is asked.
    found = sumOf(await count(deps, run, inputs.uris, aside, signal));
  }
  if (found.bytes !== inputs.bytes) {
    throw new DomainError({
      code: "failed_precondition",
      reason: "INPUT_CHANGED",
      message: `Spark read ${found.bytes} bytes of lines where there are ${inputs.bytes}`,
    });
  }
  if (isWhole && !isSame(found)) {
    throw differs("the output holds other records than the input");
  }
}

function sumOf(parts: readonly Totals[]): Totals {
  let [records, bytes, checksum] = [0, 0, 0n];
  for (const part of parts) {
    records += part.records;
    bytes += part.bytes;
    checksum += BigInt(part.checksum);
  }
  return { records, bytes, checksum: checksum.toString() };
}

function resultOf(stated: Manifest, { size }: SharedInputs): JobResult {
  return {
    recordsIn: stated.recordsRead,
    recordsOut: stated.records,
    bytesIn: size,
    bytesOut: stated.bytes,
    runs: 0,
    reused: 0,
    checksum: stated.checksum,
    parts: stated.parts.slice(0, maxPartsTold),
  };
}

/** Lets Spark forget a job that is done. */
async function leave(
  deps: SparkWorkDeps,
  run: SparkRun,
  aside: Place,
  signal: AbortSignal,
): Promise<void> {
  await removeAside(aside);
  await abandonRun(deps.client, run, bounded(signal)).catch((error: unknown) =>
    // It forgets by itself in time.
    deps.logger.info({ err: error }, "Spark was not told that a job is done"),
  );
}

async function abandon(deps: SparkWorkDeps, job: SortJob): Promise<void> {
  const run = runOf(job.placement);
  await abandonRun(deps.client, run, bounded());
  await removeAside(asideOf(await sharedOutput(deps, job), run));
}

function bounded(signal?: AbortSignal): AbortSignal {
  const late = AbortSignal.timeout(abandonMs);
  return signal ? AbortSignal.any([signal, late]) : late;
}

async function removeAside({ path }: Place): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Stages read one after the other, or the same again: the one that has read most tells how far it is. */
function bytesReadIn({ stages }: Stages): number {
  return Math.max(0, ...stages.map((stage) => Number(stage.inputBytesRead)));
}

function progressOf(
  { size }: SharedInputs,
  bytesRead: number,
  begunAt?: number,
): JobProgress {
  const read = Math.min(bytesRead, size);
  const seconds =
    begunAt === undefined ? 0 : (performance.now() - begunAt) / 1_000;
  return {
    phase: bytesRead === 0 ? "planning" : "sorting",
    bytesRead: read,
    bytesTotal: size,
    records: 0,
    bytesMerged: 0,
    bytesToMerge: size,
    bytesUploaded: 0,
    tempBytes: 0,
    bytesPerSecond: seconds > 0 ? read / seconds : 0,
  };
}
