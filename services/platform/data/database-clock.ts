import type { Logger } from "../runtime/logger.ts";
import { sleep } from "./backoff.ts";
import type { Executor } from "./executor.ts";

export interface DatabaseClockDeps {
  readonly db: Executor;
  readonly logger: Logger;
}

export interface DatabaseClock {
  /** The database's time, to within a round trip. */
  now(): Date;
  /** Ends when `stop` has aborted. */
  readonly done: Promise<void>;
}

const EVERY_MS = 30_000;

/**
 * The clock by which leases and due times are written and judged: the database's, which all instances share, told on by
 * the monotonic clock of this process. A wall clock that is set wrong, or jumps, has no part in it. Read once before
 * this resolves and every 30 s after, as monotonic clocks drift; while the database does not answer it goes on as it is.
 *
 * @throws DomainError `unavailable` where the database does not answer the first time.
 */
export async function startDatabaseClock(
  { db, logger }: DatabaseClockDeps,
  stop: AbortSignal,
): Promise<DatabaseClock> {
  let aheadMs = await measure(db);
  const keep = async () => {
    while (!stop.aborted) {
      await sleep(EVERY_MS, stop).catch(() => undefined);
      if (stop.aborted) return;
      aheadMs = await measure(db).catch((error: unknown) => {
        logger.warn({ err: error }, "the database's time can't be read");
        return aheadMs;
      });
    }
  };
  return {
    now: () => new Date(aheadMs + performance.now()),
    done: keep(),
  };
}

/** How far the database's time, in Unix milliseconds, is ahead of this process's monotonic clock. */
async function measure(db: Executor): Promise<number> {
  const askedAt = performance.now();
  const { rows } = await db.query<{ now: Date }>(
    "select clock_timestamp() as now",
  );
  const answeredAt = performance.now();
  const [row] = rows;
  if (row === undefined) throw new Error("the database told no time");
  return row.now.getTime() - (askedAt + answeredAt) / 2;
}
