import type { Database } from "../../platform/data/database.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import { orderNotFound } from "../domain/order-refusals.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { findOrder } from "../store/orders.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface WatchOrdersDeps {
  readonly db: Database;
  readonly changes: OrderChanges;
  readonly heartbeatMs: number;
}

/** One thing that a watch tells. */
export type WatchEvent =
  | { readonly kind: "order"; readonly order: Order }
  | { readonly kind: "heartbeat" };

/** Orders that have changed and are not yet told to one watcher; a slow one that falls further behind is let go. */
const backlogLimit = 10_000;

/**
 * Tells every change of a tenant's orders, or of one order, until `signal` aborts or the one order is settled. Changes
 * of an order that come faster than the watcher reads become one: what it is told is always the newest.
 *
 * @throws DomainError ORDER_NOT_FOUND, or OVERLOADED where the watcher falls too far behind.
 */
export async function* watchOrders(
  deps: WatchOrdersDeps,
  watch: { readonly tenant: string; readonly id: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const changed = new Set<string>();
  let news = Promise.withResolvers<void>();
  const unsubscribe = deps.changes.subscribe((change) => {
    const isWatched = watch.id === undefined || change.orderId === watch.id;
    if (change.tenant === watch.tenant && isWatched) {
      changed.add(change.orderId);
      news.resolve();
    }
  });
  const stop = () => news.resolve();
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (watch.id !== undefined) {
      await requireOrder(deps, watch.tenant, watch.id);
      changed.add(watch.id);
    }
    while (!signal.aborted) {
      if (changed.size > backlogLimit) {
        throw tooSlow();
      }
      const [id] = changed;
      if (id === undefined) {
        const isNews = await withHeartbeat(news.promise, deps.heartbeatMs);
        news = isNews ? Promise.withResolvers<void>() : news;
        if (!isNews) {
          yield { kind: "heartbeat" };
        }
        continue;
      }
      changed.delete(id);
      const order = await findOrder(deps.db, watch.tenant, id);
      if (order) {
        yield { kind: "order", order };
      }
      if (order && watch.id !== undefined && isSettled(order)) {
        return;
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    unsubscribe();
  }
}

async function requireOrder(
  deps: WatchOrdersDeps,
  tenant: string,
  id: string,
): Promise<void> {
  if (!(await findOrder(deps.db, tenant, id))) {
    throw orderNotFound(id);
  }
}

/** True at the news, false where none came in time. */
async function withHeartbeat(
  news: Promise<void>,
  heartbeatMs: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), heartbeatMs);
  });
  const isNews = await Promise.race([news.then(() => true), silence]);
  clearTimeout(timer);
  return isNews;
}

function tooSlow(): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "OVERLOADED",
    message: "the watcher reads more slowly than orders change; watch again",
    retryAfterMs: 1_000,
  });
}
