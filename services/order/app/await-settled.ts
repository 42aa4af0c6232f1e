import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../platform/data/database.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { findOrder } from "../store/orders.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface AwaitSettledDeps {
  readonly db: Database;
  readonly changes: OrderChanges;
}

// The log of changes tells at once; the poll is for a change that it holds back behind a long transaction.
const pollMs = 500;

/** Waits until the order is settled, at most so long; returns it as far as it got. */
export async function awaitSettled(
  deps: AwaitSettledDeps,
  order: Order,
  withinMs: number,
  signal: AbortSignal,
): Promise<Order> {
  const endsAt = performance.now() + withinMs;
  let current = order;
  let changed = Promise.withResolvers<void>();
  const unsubscribe = deps.changes.subscribe((change) => {
    if (change.orderId === order.id) {
      changed.resolve();
    }
  });
  try {
    while (!isSettled(current)) {
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) {
        return current;
      }
      const pause = new AbortController();
      await Promise.race([
        changed.promise,
        sleep(Math.min(pollMs, leftMs), undefined, {
          signal: AbortSignal.any([signal, pause.signal]),
        }),
      ]).finally(() => pause.abort());
      changed = Promise.withResolvers<void>();
      current = (await findOrder(deps.db, order.tenant, order.id)) ?? current;
    }
    return current;
  } finally {
    unsubscribe();
  }
}
