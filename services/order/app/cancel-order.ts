import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { cancelOnRequest } from "../domain/cancel-order.ts";
import { orderNotFound } from "../domain/order-refusals.ts";
import type { Order } from "../domain/order.ts";
import { lockOrder, updateOrder } from "../store/orders.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface CancelOrderDeps {
  readonly db: Database;
  readonly changes: OrderChanges;
  readonly now: () => Date;
}

/**
 * Cancels an order that is not yet being confirmed. Giving back what it holds is the drivers' work: whoever drives the
 * order finds out when it stores its next step, and if nobody does, somebody takes it up when it is due.
 *
 * @throws DomainError ORDER_NOT_FOUND, ORDER_NOT_CANCELLABLE, ETAG_MISMATCH.
 */
export async function cancelOrder(
  deps: CancelOrderDeps,
  request: {
    readonly tenant: string;
    readonly id: string;
    readonly etag: string;
  },
  answered?: (tx: Transaction, order: Order) => Promise<void>,
): Promise<Order> {
  return deps.db.transaction(async (tx) => {
    const locked = await lockOrder(tx, request.tenant, request.id);
    if (!locked) {
      throw orderNotFound(request.id);
    }
    const { order, dueAt } = locked;
    const cancelled = cancelOnRequest(order, request.etag, deps.now());
    if (cancelled !== order) {
      await updateOrder(tx, cancelled, order.version, dueAt);
      tx.onCommit(() => deps.changes.wake());
    }
    await answered?.(tx, cancelled);
    return cancelled;
  });
}
