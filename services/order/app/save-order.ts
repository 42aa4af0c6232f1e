import type { Database } from "../../platform/data/database.ts";
import { eventOf, type OrderEvent } from "../domain/order-event.ts";
import type { Order } from "../domain/order.ts";
import { insertDecision } from "../store/decisions.ts";
import { updateOrder } from "../store/orders.ts";
import type { Due, NextOrder } from "../store/update-together.ts";
import type { Announce, AnnounceRow } from "./announce.ts";
import type { OrderBatches } from "./order-batches.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface SaveOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly announceRow: AnnounceRow;
  readonly batches: Pick<OrderBatches, "update">;
  readonly changes: OrderChanges;
}

/**
 * Stores the next version of an order and announces it, at once or not at all. False where another version was stored in
 * the meantime; nothing is changed then.
 */
export function saveOrder(
  deps: SaveOrderDeps,
  before: Order,
  after: Order,
  due: Due,
): Promise<boolean> {
  const event = after.state === before.state ? undefined : eventOf(after);
  const next: NextOrder = {
    order: after,
    versionBefore: before.version,
    decides: isDecision(before, after),
    due,
    event: event && deps.announceRow(event),
  };
  return deps.batches.update.submit({
    ...next,
    alone: () => saveAlone(deps, next, event),
  });
}

/** In a transaction of its own: no other order's fault can make it fail. */
async function saveAlone(
  deps: SaveOrderDeps,
  { order, versionBefore, decides, due }: NextOrder,
  event: OrderEvent | undefined,
): Promise<boolean> {
  const isStored = await deps.db.transaction(async (tx) => {
    const isUpdated = await updateOrder(tx, order, versionBefore, due);
    if (isUpdated && decides) {
      const decision = { orderId: order.id, epoch: order.epoch };
      await insertDecision(tx, decision, order.updatedAt);
    }
    if (isUpdated && event) await deps.announce(tx, event);
    return isUpdated;
  });
  if (isStored) deps.changes.wake();
  return isStored;
}

/** Whether it is this step that decides a two-phase commit. */
function isDecision(before: Order, after: Order): boolean {
  return (
    after.coordination === "two_phase_commit" &&
    before.state === "placed" &&
    after.state === "confirmed"
  );
}
