import type { Database } from "../../platform/data/database.ts";
import { eventOf } from "../domain/order-event.ts";
import type { Order } from "../domain/order.ts";
import { updateOrder } from "../store/orders.ts";
import type { Announce } from "./announce.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface SaveOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly changes: OrderChanges;
}

/**
 * Stores the next version of an order and announces it, in one transaction. False where another version was stored in
 * the meantime; nothing is changed then.
 */
export async function saveOrder(
  deps: SaveOrderDeps,
  before: Order,
  after: Order,
  dueAt: Date | undefined,
): Promise<boolean> {
  return deps.db.transaction(async (tx) => {
    if (!(await updateOrder(tx, after, before.version, dueAt))) {
      return false;
    }
    const event = after.state === before.state ? undefined : eventOf(after);
    if (event) {
      await deps.announce(tx, event);
    }
    tx.onCommit(() => deps.changes.wake());
    return true;
  });
}
