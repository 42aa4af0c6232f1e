import { sleep } from "../data/backoff.ts";
import type { Executor } from "../data/executor.ts";
import type { Logger } from "../runtime/logger.ts";

/** How many ranges one process may own, and which it does. */
export interface RelayShare {
  /** Whether one more range would be within the share. */
  hasRoom(): boolean;
  /** The signal aborts when the range is to be given to another process. Call the answer when it is not owned any more. */
  own(giveUp: AbortController): Disposable;
}

export interface RelayShareDeps {
  readonly db: Executor;
  readonly logger: Logger;
  readonly owner: string;
  readonly ranges: number;
  readonly leaseMs: number;
}

/** The range was given to another process, which is no failure. */
export const GIVEN_AWAY = new Error("relay gives the range to another process");

/**
 * Keeps a process from owning more ranges than its share, the ranges divided
 * by the processes that live, rounded up. One that started first would
 * otherwise keep them all; one that has too many gives one away at a time,
 * between two batches.
 */
export function startRelayShare(
  deps: RelayShareDeps,
  stop: AbortSignal,
): RelayShare & { readonly done: Promise<void> } {
  const owned = new Set<AbortController>();
  let limit = deps.ranges;
  const adjust = async (): Promise<void> => {
    const members = await meetMembers(deps.db, deps.owner, deps.leaseMs);
    limit = Math.ceil(deps.ranges / Math.max(1, members));
    if (owned.size > limit) [...owned].at(-1)?.abort(GIVEN_AWAY);
  };
  return {
    hasRoom: () => owned.size < limit,
    own(giveUp) {
      owned.add(giveUp);
      return { [Symbol.dispose]: () => void owned.delete(giveUp) };
    },
    done: deps.ranges === 1 ? Promise.resolve() : repeat(deps, adjust, stop),
  };
}

async function repeat(
  deps: RelayShareDeps,
  adjust: () => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await adjust();
    } catch (error) {
      deps.logger.debug({ err: error }, "relays not counted");
    }
    await sleep(deps.leaseMs / 4, stop).catch(() => undefined);
  }
  // Best effort: a member that says nothing is forgotten after its lease.
  await leaveMembers(deps.db, deps.owner).catch(() => undefined);
}

/** Says that this process lives for so long, and answers how many do. */
export async function meetMembers(
  db: Executor,
  owner: string,
  ttlMs: number,
): Promise<number> {
  const { rows } = await db.query<{ members: bigint }>(
    `with gone as (
       delete from relay_member
       where expires_at < clock_timestamp() and owner <> $1
     ), here as (
       insert into relay_member (owner, expires_at)
       values ($1, clock_timestamp() + $2 * interval '1 millisecond')
       on conflict (owner) do update set expires_at = excluded.expires_at
     )
     select count(*) + 1 as members
     from relay_member
     where owner <> $1 and expires_at >= clock_timestamp()`,
    [owner, ttlMs],
  );
  return Number(rows[0]?.members ?? 1n);
}

async function leaveMembers(db: Executor, owner: string): Promise<void> {
  await db.query("delete from relay_member where owner = $1", [owner]);
}
