import type { InventoryClient } from "../clients/inventory.ts";
import type { PaymentClient } from "../clients/payment.ts";
import { followed } from "../domain/choreography.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { saveOrder, type SaveOrderDeps } from "./save-order.ts";

/** As a driver's: it goes on from here. */
const leaseMs = 12_000;

export interface ReconcileOrderDeps extends SaveOrderDeps {
  readonly inventory: Pick<InventoryClient, "find">;
  readonly payment: Pick<PaymentClient, "find">;
  readonly now: () => Date;
}

/**
 * Asks Inventory and Payment how a choreographed order stands whose next event is late, and takes it from them as if the
 * events had come. Answers the order as it is then; others, and those about which nobody answers, as they were.
 */
export async function reconcileOrder(
  deps: ReconcileOrderDeps,
  order: Order,
): Promise<Order> {
  if (order.coordination !== "choreographed" || isSettled(order)) return order;
  const found = await Promise.all([
    deps.inventory.find(order),
    deps.payment.find(order),
  ]);
  const at = deps.now();
  const dueAt = new Date(at.getTime() + leaseMs);
  let current = order;
  for (const fact of found.flat()) {
    for (const next of followed(current, fact, at)) {
      const due = isSettled(next) ? undefined : dueAt;
      if (!(await saveOrder(deps, current, next, due))) return current;
      current = next;
    }
  }
  return current;
}
