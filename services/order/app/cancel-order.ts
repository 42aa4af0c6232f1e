import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { cancelOnRequest, cancelReleased } from "../domain/cancel-order.ts";
import type { InventoryClient } from "../clients/inventory.ts";
import {
  notCancellable,
  orderNotFound,
  stockUnknown,
} from "../domain/order-refusals.ts";
import type { Order } from "../domain/order.ts";
import { findOrder, lockOrder, updateOrder } from "../store/orders.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface CancelOrderDeps {
  readonly db: Database;
  readonly inventory: Pick<InventoryClient, "release">;
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
  const isReleased = await releaseFirst(deps, request);
  return deps.db.transaction(async (tx) => {
    const locked = await lockOrder(tx, request.tenant, request.id);
    if (!locked) {
      throw orderNotFound(request.id);
    }
    const { order } = locked;
    const at = deps.now();
    const cancelled = isReleased
      ? cancelReleased(order, at)
      : cancelOnRequest(order, request.etag, at);
    if (cancelled !== order) {
      const isDriven = order.coordination !== "choreographed";
      const dueAt = isDriven ? locked.dueAt : at;
      await updateOrder(tx, cancelled, order.version, dueAt);
      tx.onCommit(() => deps.changes.wake());
    }
    await answered?.(tx, cancelled);
    return cancelled;
  });
}

/**
 * How far a choreographed order is only Inventory knows, as it is Inventory that takes it past its pivot: it gives the
 * stock back, whether it holds it yet or not, or says that it is sold. Answers whether it was asked.
 */
async function releaseFirst(
  deps: CancelOrderDeps,
  {
    tenant,
    id,
    etag,
  }: { readonly tenant: string; readonly id: string; readonly etag: string },
): Promise<boolean> {
  const order = await findOrder(deps.db, tenant, id);
  if (order?.coordination !== "choreographed") return false;
  if (cancelOnRequest(order, etag, deps.now()) === order) return false;
  const outcome = await deps.inventory.release(order);
  if (outcome.kind === "refused") throw notCancellable(order);
  if (outcome.kind !== "done") throw stockUnknown(order, outcome);
  return true;
}
