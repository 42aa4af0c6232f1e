import type { Database } from "../../platform/data/database.ts";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { pruneInBatches } from "../../platform/events/prune.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Order } from "../domain/order.ts";
import {
  changesAfter,
  endOfChanges,
  pruneChanges,
  type ChangeCursor,
} from "../store/order-changes.ts";

export type OrderListener = (order: Order) => void;

/** Tells, within this process, which orders have changed, whichever process changed them. */
export interface OrderChanges {
  /**
   * Calls `listener` with each order that changes, as it then stands, until the subscription is disposed of. Once this
   * has resolved no change is missed any more; of those before, some may be told. Resolves when `signal` aborts, too.
   */
  subscribe(listener: OrderListener, signal: AbortSignal): Promise<Disposable>;
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
}

const pollMs = 100;
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
  const listeners = new Set<OrderListener>();
  const bell = createWakeUp();
  let cursor: ChangeCursor | undefined;
  let reading = Promise.withResolvers<void>();

  const follow = async () => {
    while (!stopping.aborted) {
      if (listeners.size === 0 && cursor) {
        cursor = undefined;
        reading = Promise.withResolvers<void>();
      }
      const pauseMs = listeners.size > 0 ? await readOn() : pollMs;
      if (pauseMs > 0) {
        await bell.wait(pauseMs, stopping);
      }
    }
    reading.resolve();
  };
  /** How long to wait before the next read. */
  const readOn = async (): Promise<number> => {
    try {
      cursor ??= await endOfChanges(deps.db);
      reading.resolve();
      const changes = await changesAfter(deps.db, cursor, batch);
      cursor = changes.cursor;
      tell(listeners, changes.orders);
      return changes.isFull ? 0 : pollMs;
    } catch (error) {
      deps.logger.warn({ err: error }, "the log of changes can't be read");
      return pollAfterFailureMs;
    }
  };
  const loops = Promise.all([follow(), prune(deps, stopping)]);
  return {
    async subscribe(listener, signal) {
      listeners.add(listener);
      bell.ring();
      // Whoever asked looks at its own signal.
      await untilAborted(reading.promise, signal).catch(() => undefined);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    wake: () => bell.ring(),
    stopping,
    done: async () => void (await loops),
  };
}

function tell(
  listeners: ReadonlySet<OrderListener>,
  orders: readonly Order[],
): void {
  for (const order of orders) {
    for (const listener of listeners) {
      listener(order);
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
