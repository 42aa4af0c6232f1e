import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../platform/data/database.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  changesAfter,
  endOfChanges,
  pruneChanges,
  type ChangeCursor,
  type OrderChange,
} from "../store/order-changes.ts";

/** Tells, within this process, which orders have changed, whichever process changed them. */
export interface OrderChanges {
  /** Calls `listener` with each change from now on; returns what ends it. */
  subscribe(listener: (change: OrderChange) => void): () => void;
  /** Looks at once, rather than at the next poll: a change was committed here. */
  wake(): void;
  done(): Promise<void>;
}

export interface OrderChangesDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly now: () => Date;
}

const pollMs = 100;
const batch = 500;
const keepMs = 60 * 60_000;
const pruneEveryMs = 60_000;

/**
 * Follows the log of changes with one reader for all watchers of the process. It reads while somebody listens, and
 * prunes what is older than an hour.
 */
export function startOrderChanges(
  deps: OrderChangesDeps,
  signal: AbortSignal,
): OrderChanges {
  const listeners = new Set<(change: OrderChange) => void>();
  let woken = Promise.withResolvers<void>();
  const wake = () => {
    woken.resolve();
    woken = Promise.withResolvers<void>();
  };

  const follow = async () => {
    let cursor: ChangeCursor | undefined;
    while (!signal.aborted) {
      if (listeners.size === 0) {
        cursor = undefined;
      } else {
        cursor = await readOn(cursor);
      }
      const pause = new AbortController();
      await Promise.race([
        woken.promise,
        sleep(pollMs, undefined, {
          signal: AbortSignal.any([signal, pause.signal]),
        }).catch(() => {}),
      ]);
      pause.abort();
    }
  };
  const readOn = async (cursor: ChangeCursor | undefined) => {
    try {
      // A new listener may hear of changes that were under way before it came: they are no harm.
      const from = cursor ?? (await endOfChanges(deps.db));
      const changes = await changesAfter(deps.db, from, batch);
      for (const change of changes) {
        for (const listener of listeners) {
          listener(change);
        }
      }
      return changes.at(-1) ?? from;
    } catch (error) {
      deps.logger.warn({ err: error }, "the log of changes can't be read");
      return cursor;
    }
  };
  const loops = Promise.all([follow(), prune(deps, signal)]);
  return {
    subscribe(listener) {
      listeners.add(listener);
      wake();
      return () => void listeners.delete(listener);
    },
    wake,
    done: async () => void (await loops),
  };
}

async function prune(
  deps: OrderChangesDeps,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(pruneEveryMs, undefined, { signal }).catch(() => {});
    const before = new Date(deps.now().getTime() - keepMs);
    try {
      while (
        !signal.aborted &&
        (await pruneChanges(deps.db, before, 1_000)) === 1_000
      );
    } catch (error) {
      deps.logger.warn({ err: error }, "the log of changes can't be pruned");
    }
  }
}
