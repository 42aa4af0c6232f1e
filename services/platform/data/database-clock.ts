import type { Logger } from "../runtime/logger.ts";
import { sleep } from "./backoff.ts";
import type { Executor } from "./executor.ts";

export interface DatabaseClockDeps {
  readonly db: Executor;
  readonly logger: Logger;
}

export interface DatabaseClock {
  /** The database's time, to within half of the shortest round trip. */
  now(): Date;
  /** Ends when `stop` has aborted. */
  readonly done: Promise<void>;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** Of the readings that are made in a row the one with the shortest round trip counts: on a busy machine most are long. */
const MOST_READINGS = 8;
const GOOD_ERROR_MS = 0.5;

/** By how much a monotonic clock is off at most, and more than it ever is: 100 us a second. */
const DRIFT = 1e-4;

/**
 * The clock by which leases, due times and events are written and judged: the database's, which all instances share, told
 * on by the monotonic clock of this process. A wall clock that is set wrong, or jumps, has no part in it. Read before this
 * resolves, soon again, as a process that starts is busy, and every 30 s in the end, as monotonic clocks drift; while the
 * database does not answer it goes on as it is.
 *
 * @throws DomainError `unavailable` where the database does not answer the first time.
 */
export async function startDatabaseClock(
  { db, logger }: DatabaseClockDeps,
  stop: AbortSignal,
): Promise<DatabaseClock> {
  let reading = await readWell(db);
  const keep = async () => {
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      const pauseMs = Math.min(pause, LONGEST_PAUSE_MS);
      await sleep(pauseMs, stop).catch(() => undefined);
      if (stop.aborted) return;
      try {
        reading = betterOf(reading, await readWell(db));
      } catch (error) {
        logger.warn({ err: error }, "the database's time can't be read");
      }
    }
  };
  return {
    now: () => new Date(reading.aheadMs + performance.now()),
    done: keep(),
  };
}

interface Reading {
  /** How far the database's time, in Unix milliseconds, is ahead of this process's monotonic clock. */
  readonly aheadMs: number;
  /** How far that may be off: half the round trip (Cristian's algorithm). */
  readonly errorMs: number;
  /** By the monotonic clock. */
  readonly readAt: number;
}

async function readWell(db: Executor): Promise<Reading> {
  let best = await read(db);
  for (
    let made = 1;
    made < MOST_READINGS && best.errorMs > GOOD_ERROR_MS;
    made += 1
  ) {
    const next = await read(db);
    if (next.errorMs < best.errorMs) best = next;
  }
  return best;
}

async function read(db: Executor): Promise<Reading> {
  const askedAt = performance.now();
  const { rows } = await db.query<{ now: Date }>(
    "select clock_timestamp() as now",
  );
  const readAt = performance.now();
  const [row] = rows;
  if (row === undefined) throw new Error("the database told no time");
  return {
    aheadMs: row.now.getTime() - (askedAt + readAt) / 2,
    errorMs: (readAt - askedAt) / 2,
    readAt,
  };
}

/** The new one, unless it may be further off than the old one is by now; where they contradict, the database's clock was set. */
function betterOf(old: Reading, fresh: Reading): Reading {
  const errorByNow = old.errorMs + (fresh.readAt - old.readAt) * DRIFT;
  const isSet =
    Math.abs(fresh.aheadMs - old.aheadMs) > errorByNow + fresh.errorMs;
  return isSet || fresh.errorMs <= errorByNow ? fresh : old;
}
