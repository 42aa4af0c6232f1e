import type { Transaction } from "../../platform/data/transaction.ts";
import { followed, type Fact } from "../domain/choreography.ts";
import { eventOf } from "../domain/order-event.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { lockOrderById, updateOrder } from "../store/orders.ts";
import type { Announce } from "./announce.ts";
import { eventDeadlineMs } from "./drive-order.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";

export interface FollowEventDeps {
  readonly announce: Announce;
  readonly changes: Pick<OrderChanges, "wake">;
  readonly drivers: Pick<OrderDrivers, "wake">;
  readonly now: () => Date;
}

/** Moves a choreographed order to where an event of another service puts it. One that is not known is left alone. */
export async function followEvent(
  deps: FollowEventDeps,
  tx: Transaction,
  orderId: string,
  fact: Fact,
): Promise<void> {
  const order = await lockOrderById(tx, orderId);
  if (order === undefined) return;
  const at = deps.now();
  const versions = followed(order, fact, at);
  if (versions.length === 0) return;
  let before = order;
  let due: Date | undefined;
  for (const version of versions) {
    due = dueAt(version, order, at);
    await updateOrder(tx, version, before.version, due);
    const event = version.state === before.state ? undefined : eventOf(version);
    if (event) await deps.announce(tx, event);
    before = version;
  }
  tx.onCommit(() => {
    deps.changes.wake();
    if (due && due <= at) deps.drivers.wake();
  });
}

/**
 * A payment is let go at once, by a driver, as all is of an order that its customer cancels. One whose money was taken
 * before its prices were known has had its last event: a driver asks for them, and for the money once they are there. To
 * all others the next event has time to come.
 */
function dueAt(order: Order, before: Order, at: Date): Date | undefined {
  if (isSettled(order)) return undefined;
  const isLettingGo = order.undo[0] === "void" || order.state === "cancelling";
  return isLettingGo || isUnpriced(order) || isUnpriced(before)
    ? at
    : new Date(at.getTime() + eventDeadlineMs);
}

function isUnpriced({ state, total }: Order): boolean {
  return state === "confirmed" && total === undefined;
}
