import type { Database } from "../../platform/data/database.ts";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { pruneInBatches } from "../../platform/events/prune.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  changesAfter,
  endOfChanges,
  type ChangeCursor,
  type OrderChange,
} from "../store/order-changes.ts";
import { openLog, pruneChanges, readLog } from "../store/order-log.ts";

export type OrderListener = (change: OrderChange) => void;

export interface Subscription extends Disposable {
  /** Every change after this place is told; undefined if the signal was faster. */
  readonly from: ChangeCursor | undefined;
  /** How far the log is told by now. */
  readonly at: ChangeCursor;
  /** Whether changes were forgotten before they could be told. */
  readonly isLost: boolean;
}

/** Tells, within this process, which orders have changed, whichever process changed them. */
export interface OrderChanges {
  /**
   * Calls `listener` with each order that changes, as it then stands, until the subscription is disposed of. Once this
   * has resolved no change is missed any more. Resolves when `signal` aborts, too.
   */
  subscribe(
    listener: OrderListener,
    signal: AbortSignal,
  ): Promise<Subscription>;
  /** Looks at once, rather than at the next poll: a change was committed here. */
  wake(): void;
  /** Aborts when nothing is told any more: the service stops. */
  readonly stopping: AbortSignal;
  done(): Promise<void>;
}

export interface OrderChangesDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly now: () => Date;
  /** How soon the changes of other processes are heard of: ours ring. Default 100. */
  readonly pollMs?: number;
}

const pollAfterFailureMs = 1_000;
const batch = 500;
const keepMs = 60 * 60_000;

/**
 * Follows the log of changes with one reader for all watchers of the process, so that its cost does not grow with them.
 * It reads while somebody listens, and prunes what is older than an hour.
 */
export function startOrderChanges(
  deps: OrderChangesDeps,
  stopping: AbortSignal,
): OrderChanges {
  const { pollMs = 100 } = deps;
  const listeners = new Set<OrderListener>();
  const bell = createWakeUp();
  let cursor: ChangeCursor | undefined;
  let reading = Promise.withResolvers<ChangeCursor>();
  /** Counts the times that changes were lost. */
  let losses = 0;
  let cluster: string | undefined;
  let isCertain = false;

  const follow = async () => {
    while (!stopping.aborted) {
      if (listeners.size === 0 && cursor) {
        cursor = undefined;
        reading = Promise.withResolvers();
      }
      const pauseMs = listeners.size > 0 ? await readOn() : pollMs;
      if (pauseMs > 0) {
        await bell.wait(pauseMs, stopping);
      }
    }
    reading.resolve(cursor ?? nowhere);
  };
  /** How long to wait before the next read. */
  const readOn = async (): Promise<number> => {
    try {
      if (!isCertain) await meetCluster();
      if (cursor === undefined) {
        cursor = await endOfChanges(deps.db);
        reading.resolve(cursor);
      }
      const news = await changesAfter(deps.db, { after: cursor, limit: batch });
      if (news.isLost) losses += 1;
      cursor = news.cursor;
      tell(listeners, news.changes);
      return news.isFull ? 0 : pollMs;
    } catch (error) {
      // The connection may have gone with its cluster: transaction ids would mean something else.
      isCertain = false;
      deps.logger.warn({ err: error }, "the log of changes can't be read");
      return pollAfterFailureMs;
    }
  };
  const meetCluster = async () => {
    const met = (await readLog(deps.db)).cluster;
    if (cluster !== undefined && met !== cluster) {
      await openLog(deps.db);
      losses += 1;
      cursor &&= await endOfChanges(deps.db);
    }
    cluster = met;
    isCertain = true;
  };
  const loops = Promise.all([follow(), prune(deps, stopping)]);
  return {
    async subscribe(listener, signal) {
      listeners.add(listener);
      const lossesBefore = losses;
      const begin = cursor ?? reading.promise;
      bell.ring();
      // Whoever asked looks at its own signal.
      const from = await untilAborted(Promise.resolve(begin), signal).catch(
        () => undefined,
      );
      return {
        from,
        get at() {
          return cursor ?? from ?? nowhere;
        },
        get isLost() {
          return losses > lossesBefore;
        },
        [Symbol.dispose]: () => void listeners.delete(listener),
      };
    },
    wake: () => bell.ring(),
    stopping,
    done: async () => void (await loops),
  };
}

const nowhere: ChangeCursor = { xid: "0", seq: "0" };

function tell(
  listeners: ReadonlySet<OrderListener>,
  changes: readonly OrderChange[],
): void {
  for (const change of changes) {
    for (const listener of listeners) {
      listener(change);
    }
  }
}

function prune(deps: OrderChangesDeps, stopping: AbortSignal): Promise<void> {
  return pruneInBatches(
    { logger: deps.logger, name: "order_changes" },
    (limit) => {
      const before = new Date(deps.now().getTime() - keepMs);
      return pruneChanges(deps.db, before, limit);
    },
    stopping,
  );
}
