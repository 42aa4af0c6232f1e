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
 * Stores the next version of an order and announces it, at once or not at all. False where another version was stored in
 * the meantime; nothing is changed then.
 */
export async function saveOrder(
  deps: SaveOrderDeps,
  before: Order,
  after: Order,
  dueAt: Date | undefined,
): Promise<boolean> {
  const event = after.state === before.state ? undefined : eventOf(after);
  const save = event
    ? deps.db.transaction(async (tx) => {
        const isStored = await updateOrder(tx, after, before.version, dueAt);
        if (isStored) {
          await deps.announce(tx, event);
        }
        return isStored;
      })
    : // A statement alone is a transaction, in one round trip rather than three.
      updateOrder(deps.db, after, before.version, dueAt);
  const isStored = await save;
  if (isStored) {
    deps.changes.wake();
  }
  return isStored;
}
