import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import type { InventoryClient } from "../clients/inventory.ts";
import { cancelOnRequest, isStockLetGo } from "../domain/cancel-order.ts";
import { eventOf } from "../domain/order-event.ts";
import {
  notCancellable,
  orderNotFound,
  stockUnknown,
} from "../domain/order-refusals.ts";
import type { Order } from "../domain/order.ts";
import { advance, nextStep } from "../domain/saga.ts";
import { lockOrder, updateOrder } from "../store/orders.ts";
import type { Announce } from "./announce.ts";
import { eventDeadlineMs } from "./drive-order.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";

export interface CancelOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly inventory: Pick<InventoryClient, "release">;
  readonly changes: Pick<OrderChanges, "wake">;
  readonly drivers: Pick<OrderDrivers, "wake">;
  readonly now: () => Date;
}

export interface CancelOrder {
  readonly tenant: string;
  readonly id: string;
  readonly etag: string;
}

type Answered = (tx: Transaction, order: Order) => Promise<void>;

/**
 * Cancels an order that is not yet being confirmed. Giving back what it holds is the drivers' work: whoever drives the
 * order finds out when it stores its next step, and if nobody does, somebody takes it up when it is due.
 *
 * How far a choreographed order is only Inventory knows, as it is Inventory that takes it past its pivot. So it is asked,
 * after the wish is stored: it gives the stock back, whether it holds it yet or not, or says that it is sold, and then
 * the order goes on.
 *
 * @throws DomainError ORDER_NOT_FOUND, ORDER_NOT_CANCELLABLE, ETAG_MISMATCH; STEP_UNANSWERED where Inventory does not
 * answer: the order is cancelled as soon as it does, if it can be.
 */
export async function cancelOrder(
  deps: CancelOrderDeps,
  request: CancelOrder,
  answered?: Answered,
): Promise<Order> {
  const wish = await storeWish(deps, request, answered);
  if (isStockLetGo(wish)) return wish;
  const outcome = await deps.inventory.release(wish);
  const order = await deps.db.transaction(async (tx) => {
    const { order: current } = await lockKnown(tx, request);
    const at = deps.now();
    const isOpen = current.state === "cancelling" && !isStockLetGo(current);
    const next =
      isOpen && nextStep(current) === "release"
        ? advance(current, outcome, at)
        : current;
    if (next.version !== current.version) {
      await updateOrder(tx, next, current.version, at);
      const event = next.state === current.state ? undefined : eventOf(next);
      if (event) await deps.announce(tx, event);
    }
    // Giving the rest back, or going on, is a driver's.
    tx.onCommit(() => {
      deps.changes.wake();
      deps.drivers.wake();
    });
    if (isStockLetGo(next)) await answered?.(tx, next);
    return next;
  });
  if (isStockLetGo(order)) return order;
  throw order.state === "cancelling"
    ? stockUnknown(order, outcome)
    : notCancellable(order);
}

/** The order with the wish to cancel it. If that is all it takes, the answer is stored with it. */
function storeWish(
  deps: CancelOrderDeps,
  request: CancelOrder,
  answered?: Answered,
): Promise<Order> {
  return deps.db.transaction(async (tx) => {
    const { order, dueAt } = await lockKnown(tx, request);
    const at = deps.now();
    const cancelled = cancelOnRequest(order, request.etag, at);
    if (cancelled !== order) {
      const isAsking = !isStockLetGo(cancelled);
      const askedBy = new Date(at.getTime() + eventDeadlineMs);
      await updateOrder(
        tx,
        cancelled,
        order.version,
        isAsking ? askedBy : dueAt,
      );
      tx.onCommit(() => deps.changes.wake());
    }
    if (isStockLetGo(cancelled)) await answered?.(tx, cancelled);
    return cancelled;
  });
}

/** @throws DomainError ORDER_NOT_FOUND. */
async function lockKnown(
  tx: Transaction,
  { tenant, id }: CancelOrder,
): Promise<{ order: Order; dueAt: Date | undefined }> {
  const locked = await lockOrder(tx, tenant, id);
  if (!locked) throw orderNotFound(id);
  return locked;
}
