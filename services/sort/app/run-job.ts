import type { Database } from "../../platform/data/database.ts";
import type { WakeUp } from "../../platform/events/wake-up.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Files } from "../clients/files.ts";
import {
  startJobProcess,
  type JobWork,
  type WorkEnd,
} from "../clients/job-process.ts";
import {
  isSuspension,
  type JobFailure,
  type JobProgress,
  type Placement,
} from "../domain/sort-job.ts";
import { sparkUnavailable } from "../domain/sort-refusals.ts";
import { notConfigured } from "../domain/spark-limits.ts";
import {
  endJob,
  placeJob as storePlacement,
  renewLease,
  type JobEnd,
  type LeasedJob,
} from "../store/job-leases.ts";
import type { Announce } from "./announce.ts";
import { answerWorker } from "./answer-worker.ts";
import { cleanUp } from "./clean-up.ts";
import { placeJob, type PlaceJobDeps } from "./place-job.ts";
import type { Spark } from "./spark-work.ts";
import { writeOrder, type WriteOrderDeps } from "./write-order.ts";

export interface RunJobDeps extends WriteOrderDeps, PlaceJobDeps {
  readonly db: Database;
  readonly announce: Announce;
  /** Jobs past this machine; undefined where no Spark is configured. */
  readonly spark: Spark | undefined;
  readonly files: Files | undefined;
  readonly logger: Logger;
  readonly workerEnv: Readonly<Record<string, string>>;
  readonly silentSeconds: number;
  readonly now: () => Date;
}

/** How long a job is kept for a process that gives no sign of life. */
export const leaseMs = 10_000;
/** What is left of it when the process of the job ends itself. */
const leaseMarginMs = 2_000;
const renewMs = 1_000;
const announceEveryMs = 5_000;
/** A job that ends its process this often has something that no other attempt will cure. */
const maxAttempts = 12;

/**
 * Works on a job until it is settled, suspended, lost to another process, or this one stops. What the job came to is stored
 * with its event in one transaction, if the job is still ours.
 */
export async function runJob(
  deps: RunJobDeps,
  leased: LeasedJob,
  bell: WakeUp,
  stopping: AbortSignal,
  onPlaced: (engine: Placement["engine"]) => void,
): Promise<void> {
  const { job } = leased;
  const { logger } = deps;
  const about = { job: job.id };
  if (leased.isElsewhere) {
    logger.info(about, "the job's runs are on another machine: it begins anew");
  }
  let progress: JobProgress | undefined;
  const tell = (told: JobProgress) => (progress = told);
  const end = await endOf(deps, leased, { bell, stopping, tell, onPlaced });
  if (end === undefined) {
    logger.warn(about, "the job is another process's now");
    return;
  }
  const ended = await deps.db.transaction(async (tx) => {
    const stored = await endJob(tx, leased, end, progress, deps.now());
    if (stored?.endedAt) {
      await deps.announce(tx, { type: "SortJobFinished", job: stored });
    }
    return stored;
  });
  if (!ended) {
    logger.warn(about, "the job is another process's now");
    return;
  }
  logger.info(
    { ...about, state: ended.state, reason: ended.failure?.reason },
    "job ended",
  );
  if (ended.endedAt) {
    await cleanUp(deps, ended);
  }
}

interface Watching {
  readonly bell: WakeUp;
  readonly stopping: AbortSignal;
  readonly tell: (progress: JobProgress) => void;
  readonly onPlaced: (engine: Placement["engine"]) => void;
}

async function endOf(
  deps: RunJobDeps,
  leased: LeasedJob,
  { bell, stopping, tell, onPlaced }: Watching,
): Promise<JobEnd | undefined> {
  const { job } = leased;
  if (job.state === "cancelling") {
    return { state: "cancelled" };
  }
  if (job.attempts > maxAttempts) {
    return failed("WORKER_LOST", `its process ended ${maxAttempts} times`);
  }
  let work: JobWork;
  let newest: JobProgress | undefined;
  try {
    const placed = await place(deps, leased);
    if (!placed) return undefined;
    onPlaced(placed.job.placement?.engine ?? "local");
    work = await startWork(deps, placed, (progress) => {
      newest = progress;
      tell(progress);
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { state: "failed", failure: failureOf(error) };
  }
  const stop = () => work.kill();
  stopping.addEventListener("abort", stop, { once: true });
  if (stopping.aborted) stop();
  const over = new AbortController();
  const keeping = keep(deps, leased, work, bell, over.signal, () => newest);
  const ended = await work.ended;
  over.abort();
  if (ended.kind === "lost") {
    deps.logger.warn({ job: job.id, how: ended.how }, "a job's work was lost");
  }
  stopping.removeEventListener("abort", stop);
  const isOurs = await keeping;
  if (!isOurs) return undefined;
  const isDrained = stopping.aborted;
  const waitMs = isDrained ? 0 : retryMs(job.attempts);
  const dueAt = new Date(deps.now().getTime() + waitMs);
  return endOfWork(ended, { state: "queued", dueAt, isDrained });
}

/** Decides where a job runs, once, and stores it. Undefined where somebody else has it now. */
async function place(
  deps: RunJobDeps,
  leased: LeasedJob,
): Promise<LeasedJob | undefined> {
  const { job } = leased;
  if (job.placement) return leased;
  const placement = await placeJob(deps, job);
  const isOurs = await storePlacement(deps.db, leased, placement, deps.now());
  return isOurs ? { ...leased, job: { ...job, placement } } : undefined;
}

async function startWork(
  deps: RunJobDeps,
  leased: LeasedJob,
  onProgress: (progress: JobProgress) => void,
): Promise<JobWork> {
  const { job } = leased;
  if (job.placement?.engine === "spark") {
    if (!deps.spark) throw sparkUnavailable(notConfigured);
    return deps.spark.start(leased, onProgress);
  }
  const { answer, giveUp } = answerWorker(deps, job);
  const order = await writeOrder(deps, job);
  const { workerEnv: env, silentSeconds } = deps;
  const work = startJobProcess(
    { onProgress, answer, env, silentSeconds },
    order,
    leaseMs - leaseMarginMs,
  );
  const ended = work.ended.then(async (end) => {
    if (end.kind === "failed" && endsForGood(end.failure)) {
      // The sweeper of the store does what fails here.
      await giveUp().catch((error: unknown) =>
        deps.logger.info({ err: error, job: job.id }, "an upload is left"),
      );
    }
    return end;
  });
  return { ...work, ended };
}

/** 0.5 s after the first loss of a process, twice as long after each, and a minute at most. */
function retryMs(attempts: number): number {
  return Math.min(60_000, 500 * 2 ** (attempts - 1));
}

/** Renews the lease while the job's process works, and stops it where the job is cancelled, or another's. False if it is. */
async function keep(
  deps: RunJobDeps,
  leased: LeasedJob,
  work: JobWork,
  bell: WakeUp,
  over: AbortSignal,
  progressNow: () => JobProgress | undefined,
): Promise<boolean> {
  let told: JobProgress | undefined;
  let toldAt = 0;
  let isCancelling = false;
  while (!over.aborted) {
    await bell.wait(renewMs, over);
    if (over.aborted) break;
    const now = deps.now();
    const until = new Date(now.getTime() + leaseMs);
    const progress = progressNow();
    try {
      const job = await deps.db.transaction(async (tx) => {
        const kept = await renewLease(tx, leased, until, progress, now);
        const isNews =
          progress !== undefined &&
          (progress.phase !== told?.phase ||
            performance.now() - toldAt >= announceEveryMs);
        if (kept && isNews) {
          await deps.announce(tx, { type: "SortJobProgressed", job: kept });
        }
        return { kept, isNews };
      });
      if (!job.kept) {
        work.kill();
        return false;
      }
      if (job.isNews) {
        told = progress;
        toldAt = performance.now();
      }
      work.renew(leaseMs - leaseMarginMs);
      if (job.kept.state === "cancelling" && !isCancelling) {
        isCancelling = true;
        work.cancel();
      }
    } catch (error) {
      // The process ends itself where this goes on for too long.
      deps.logger.warn({ err: error, job: leased.job.id }, "lease not renewed");
    }
  }
  return true;
}

function endOfWork(ended: WorkEnd, again: JobEnd): JobEnd {
  switch (ended.kind) {
    case "done":
      return { state: "succeeded", result: ended.result };
    case "lost":
      // Killed by us to stop, by the system for its memory, or by somebody: what it did is on the disk.
      return again;
    case "failed": {
      const { failure } = ended;
      if (failure.reason === "CANCELLED") return { state: "cancelled" };
      // A service that it needs does not answer: nothing is lost but time.
      if (failure.reason === "WORKER_LOST") return again;
      return {
        state: isSuspension(failure) ? "suspended" : "failed",
        failure,
      };
    }
  }
}

/** Whether no other attempt follows. */
function endsForGood(failure: JobFailure): boolean {
  return !isSuspension(failure) && failure.reason !== "WORKER_LOST";
}

function failed(reason: string, message: string): JobEnd {
  return { state: "failed", failure: { reason, message, metadata: {} } };
}

function failureOf({ reason, message, metadata }: DomainError) {
  return { reason, message, metadata };
}
