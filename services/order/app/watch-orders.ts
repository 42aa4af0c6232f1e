import type { Database } from "../../platform/data/database.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
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
 * Tells every change of a tenant's orders until `signal` aborts. Changes of an order that come faster than the watcher
 * reads become one: what it is told is always the newest.
 *
 * @throws DomainError OVERLOADED where the watcher falls too far behind.
 */
export async function* watchOrders(
  deps: WatchOrdersDeps,
  tenant: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const changed = new Map<string, Order>();
  const bell = createWakeUp();
  using _ = await deps.changes.subscribe((order) => {
    // One more than the limit tells that it was passed; nothing is kept beyond that.
    if (order.tenant === tenant && changed.size <= backlogLimit) {
      changed.set(order.id, order);
      bell.ring();
    }
  }, signal);
  while (!signal.aborted) {
    if (changed.size > backlogLimit) {
      throw tooSlow();
    }
    const [order] = changed.values();
    if (order) {
      changed.delete(order.id);
      yield { kind: "order", order };
    } else if (!(await bell.wait(deps.heartbeatMs, signal))) {
      yield* heartbeat(signal);
    }
  }
}

/**
 * Tells how one order stands, and every change of it, until it is settled or `signal` aborts.
 *
 * @throws DomainError ORDER_NOT_FOUND.
 */
export async function* watchOrder(
  deps: WatchOrdersDeps,
  tenant: string,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let newest: Order | undefined;
  const bell = createWakeUp();
  using _ = await deps.changes.subscribe((order) => {
    if (order.id === id && order.tenant === tenant) {
      newest = order;
      bell.ring();
    }
  }, signal);
  let told = await findOrder(deps.db, tenant, id);
  if (!told) {
    throw orderNotFound(id);
  }
  yield { kind: "order", order: told };
  while (!signal.aborted && !isSettled(told)) {
    const isNews = await bell.wait(deps.heartbeatMs, signal);
    if (!isNews) {
      yield* heartbeat(signal);
    } else if (newest && newest.version > told.version) {
      told = newest;
      yield { kind: "order", order: told };
    }
  }
}

function* heartbeat(signal: AbortSignal): Generator<WatchEvent> {
  if (!signal.aborted) {
    yield { kind: "heartbeat" };
  }
}

function tooSlow(): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "OVERLOADED",
    message: "the watcher reads more slowly than orders change; watch again",
    retryAfterMs: 1_000,
  });
}
