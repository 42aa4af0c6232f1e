import type { Database } from "../../platform/data/database.ts";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { findOrder } from "../store/orders.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";

export interface AwaitSettledDeps {
  readonly db: Database;
  readonly changes: OrderChanges;
  readonly drivers: Pick<OrderDrivers, "driven">;
}

// The log of changes tells at once; the poll is for a change that it holds back behind a long transaction.
const pollMs = 500;

/**
 * Waits until the order is settled, at most so long, and not while the service stops: another process may have to go on
 * with the order. Returns it as far as it got.
 */
export async function awaitSettled(
  deps: AwaitSettledDeps,
  order: Order,
  withinMs: number,
  signal: AbortSignal,
): Promise<Order> {
  if (isSettled(order) || withinMs <= 0) {
    return order;
  }
  const bell = createWakeUp();
  const end = AbortSignal.any([
    signal,
    deps.changes.stopping,
    AbortSignal.timeout(Math.ceil(withinMs)),
  ]);
  // Usually a driver of this process has it: then nothing needs to be read.
  const driven = await untilAborted(deps.drivers.driven(order.id), end).catch(
    () => undefined,
  );
  if (driven && isSettled(driven)) {
    return driven;
  }
  let settled: Order | undefined;
  using _ = await deps.changes.subscribe(({ order: changed }) => {
    if (changed.id === order.id && isSettled(changed)) {
      settled = changed;
      bell.ring();
    }
  }, end);
  for (;;) {
    const current = await findOrder(deps.db, order.tenant, order.id);
    if (current && isSettled(current)) {
      return current;
    }
    if (end.aborted) {
      return current ?? order;
    }
    await bell.wait(pollMs, end);
    if (settled) {
      return settled;
    }
  }
}
