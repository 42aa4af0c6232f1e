import type { InventoryClient } from "../clients/inventory.ts";
import type { PaymentClient } from "../clients/payment.ts";
import { follow, type Fact } from "../domain/choreography.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { saveOrder, type SaveOrderDeps } from "./save-order.ts";

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
  const known = found
    .flat()
    .reduce((current: Order, fact: Fact) => follow(current, fact, at), order);
  if (known === order) return order;
  const after: Order = { ...known, version: order.version + 1n };
  const dueAt = isSettled(after) ? undefined : new Date(at.getTime() + 12_000);
  return (await saveOrder(deps, order, after, dueAt)) ? after : order;
}
