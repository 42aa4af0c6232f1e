import { DomainError } from "../../platform/runtime/errors.ts";
import { notCancellable } from "./order-refusals.ts";
import { etagOf } from "./etag.ts";
import { orderName, type Order } from "./order.ts";
import { cancel } from "./saga.ts";

/**
 * What a request to cancel makes of an order. One that is being cancelled, or is cancelled, stays as it is.
 *
 * @throws DomainError ETAG_MISMATCH, or ORDER_NOT_CANCELLABLE from AUTHORIZED on: its stock is being confirmed, and
 * whether that has happened only Inventory knows.
 */
export function cancelOnRequest(order: Order, etag: string, at: Date): Order {
  if (order.state === "cancelling" || order.state === "cancelled") {
    return order;
  }
  if (etag !== "" && etag !== etagOf(order)) {
    throw new DomainError({
      code: "aborted",
      reason: "ETAG_MISMATCH",
      message: `${orderName(order.id)} has changed since its etag was read`,
      metadata: { order: orderName(order.id) },
    });
  }
  if (order.state !== "placed" && order.state !== "reserved") {
    throw notCancellable(order);
  }
  return cancel(order, at);
}

/**
 * Whether an order that is cancelled, or being cancelled, can't be sold any more. Of a choreographed one that is not
 * known before Inventory has given its stock back.
 */
export function isStockLetGo({ coordination, state, undo }: Order): boolean {
  if (state === "cancelled") return true;
  return (
    state === "cancelling" &&
    (coordination !== "choreographed" || !undo.includes("release"))
  );
}
