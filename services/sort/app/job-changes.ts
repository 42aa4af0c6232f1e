import { sleep } from "../../platform/data/backoff.ts";
import type { Database } from "../../platform/data/database.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { isSettled, type SortJob } from "../domain/sort-job.ts";
import { findChangedJobs } from "../store/sort-jobs.ts";
import { getSortJob } from "./read-sort-jobs.ts";

/** One thing that a watch tells. */
export type WatchEvent =
  | { readonly kind: "job"; readonly job: SortJob }
  | { readonly kind: "heartbeat" };

/** Tells, within this process, how watched jobs change, whichever process changes them. */
export interface JobChanges {
  /** How a job stands, and every change of it, until it is settled or `signal` aborts. @throws DomainError SORT_JOB_NOT_FOUND. */
  watch(
    tenant: string,
    id: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent>;
  done(): Promise<void>;
}

export interface JobChangesDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly heartbeatMs: number;
}

interface Watcher {
  readonly id: string;
  told: SortJob;
  newest: SortJob;
  ring(): void;
}

const pollMs = 400;
const pollAfterFailureMs = 2_000;

/** Follows the jobs that somebody watches with one query for all of them, twice a second or so. */
export function startJobChanges(
  deps: JobChangesDeps,
  stopping: AbortSignal,
): JobChanges {
  const watchers = new Set<Watcher>();

  const look = async () => {
    const oldest = new Map<string, bigint>();
    for (const { id, newest } of watchers) {
      const known = oldest.get(id);
      if (known === undefined || newest.version < known) {
        oldest.set(id, newest.version);
      }
    }
    const known = [...oldest].map(([id, version]) => ({ id, version }));
    for (const job of await findChangedJobs(deps.db, known)) {
      for (const watcher of watchers) {
        if (watcher.id === job.id && job.version > watcher.newest.version) {
          watcher.newest = job;
          watcher.ring();
        }
      }
    }
  };
  const follow = async () => {
    while (!stopping.aborted) {
      let pauseMs = pollMs;
      try {
        if (watchers.size > 0) await look();
      } catch (error) {
        deps.logger.warn({ err: error }, "watched jobs can't be read");
        pauseMs = pollAfterFailureMs;
      }
      await sleep(pauseMs, stopping).catch(() => undefined);
    }
  };
  const following = follow();

  return {
    async *watch(tenant, id, signal) {
      const bell = createWakeUp();
      const job = await getSortJob(deps, tenant, id);
      const watcher = { id, told: job, newest: job, ring: () => bell.ring() };
      watchers.add(watcher);
      try {
        yield { kind: "job", job };
        while (!signal.aborted && !isSettled(watcher.told)) {
          const isNews = await bell.wait(deps.heartbeatMs, signal);
          if (watcher.newest.version > watcher.told.version) {
            watcher.told = watcher.newest;
            yield { kind: "job", job: watcher.told };
          } else if (!isNews && !signal.aborted) {
            yield { kind: "heartbeat" };
          }
        }
      } finally {
        watchers.delete(watcher);
      }
    },
    done: () => following,
  };
}
