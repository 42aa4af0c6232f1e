import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { createWakeUp, type WakeUp } from "../../platform/events/wake-up.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import { claimJob } from "../store/job-leases.ts";
import { leaseMs, runJob, type RunJobDeps } from "./run-job.ts";

/** The jobs that this process works on. */
export interface JobRunners {
  /** A job waits: one is taken as soon as there is room. */
  wake(): void;
  /** A job was changed: whoever works on it here looks at once. */
  look(id: string): void;
  isRunning(id: string): boolean;
  /** Ends when the jobs' processes have stopped and the jobs are back in the queue, or at `hurry`. */
  done(hurry: AbortSignal): Promise<void>;
}

export interface JobRunnersOptions {
  /** Jobs that are sorted here at a time. */
  readonly limit: number;
  /** Jobs that are followed on Spark at a time. */
  readonly sparkLimit: number;
  /** Jobs of one tenant at a time, over all processes. */
  readonly perTenant: number;
  readonly pollMs: number;
  /** Names the temp folder, so that jobs go on where their runs are. */
  readonly home: string;
  /** How long a job is left to whoever has its temp folder, before another begins it anew. */
  readonly abandonMs: number;
}

interface Running {
  readonly bell: WakeUp;
  readonly done: Promise<void>;
  /** Whether Spark works on it. */
  isRemote: boolean;
}

/** Takes jobs from the queue, tenants in turn, and works on so many at a time. */
export function startJobRunners(
  deps: RunJobDeps,
  options: JobRunnersOptions,
  stopping: AbortSignal,
): JobRunners {
  const running = new Map<string, Running>();
  const remoteJobs = () =>
    [...running.values()].filter((job) => job.isRemote).length;
  const bell = createWakeUp();

  const claimOne = async (): Promise<boolean> => {
    const now = deps.now();
    const leased = await claimJob(deps.db, {
      home: options.home,
      now,
      leaseUntil: new Date(now.getTime() + leaseMs),
      abandonedBefore: new Date(now.getTime() - options.abandonMs),
      perTenant: options.perTenant,
      withSpark: remoteJobs() < options.sparkLimit,
    });
    if (!leased) return false;
    const { id } = leased.job;
    const own = createWakeUp();
    const onPlaced = (engine: "local" | "spark") => {
      const job = running.get(id);
      if (job && engine === "spark") {
        // It takes nothing of this machine: its place is another's.
        job.isRemote = true;
        bell.ring();
      }
    };
    const done = runJob(deps, leased, own, stopping, onPlaced)
      .catch((error: unknown) =>
        // Its lease runs out and it is taken up again: nothing is lost but time.
        deps.logger.error({ err: error, job: id }, "working on a job failed"),
      )
      .then(() => {
        running.delete(id);
        bell.ring();
      });
    running.set(id, { bell: own, done, isRemote: false });
    return true;
  };
  const poll = async () => {
    while (!stopping.aborted) {
      try {
        while (
          !stopping.aborted &&
          running.size - remoteJobs() < options.limit &&
          (await claimOne())
        );
      } catch (error) {
        deps.logger.warn({ err: error }, "the queue can't be read");
      }
      await bell.wait(options.pollMs * (0.5 + Math.random()), stopping);
    }
  };
  const polling = runDetached(() => context.with(ROOT_CONTEXT, poll));

  return {
    wake: () => bell.ring(),
    look: (id) => running.get(id)?.bell.ring(),
    isRunning: (id) => running.has(id),
    async done(hurry) {
      const end = polling.then(() =>
        Promise.all([...running.values()].map(({ done }) => done)),
      );
      await untilAborted(end, hurry).catch(() =>
        deps.logger.warn(
          { jobs: running.size },
          "jobs are left to their lease",
        ),
      );
    },
  };
}
