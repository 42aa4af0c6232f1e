import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { eventOf } from "../domain/order-event.ts";
import {
  type AuditRecord,
  forceResolve,
  retryOnRequest,
} from "../domain/operations.ts";
import { orderNotFound } from "../domain/order-refusals.ts";
import { isSettled, type Order, type OrderState } from "../domain/order.ts";
import { insertAuditRecord } from "../store/audit-records.ts";
import { keepOrder } from "../store/due-orders.ts";
import { updateOrder } from "../store/orders.ts";
import { lockAnyOrder } from "../store/unsettled-orders.ts";
import type { Announce } from "./announce.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";

export interface DecideOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly changes: OrderChanges;
  readonly drivers: Pick<OrderDrivers, "wake">;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** Who decides about which order, and why. */
export interface Decision {
  readonly id: string;
  readonly etag: string;
  readonly actor: string;
  readonly actorTenant: string;
  readonly reason: string;
  readonly requestId: string | undefined;
}

/** Keeps the answer to a named request in the decision's own transaction. */
export interface KeepAnswer {
  /** Waits for another request of the same name, and throws where that one was first. */
  hold(tx: Transaction): Promise<void>;
  answer(tx: Transaction, order: Order): Promise<void>;
}

/**
 * Has an order's step tried again at once.
 *
 * @throws DomainError ORDER_NOT_FOUND, ORDER_NOT_STUCK, ETAG_MISMATCH.
 */
export function retryOrder(
  deps: DecideOrderDeps,
  decision: Decision,
  keepAnswer?: KeepAnswer,
): Promise<Order> {
  return decide(deps, decision, keepAnswer, async (tx, order, at) => {
    const after = retryOnRequest(order, decision.etag, at);
    await (after === order
      ? keepOrder(tx, order, at)
      : updateOrder(tx, after, order.version, at));
    tx.onCommit(() => deps.drivers.wake());
    return { after, action: "retry", settledByHand: "" };
  });
}

/**
 * Declares an order settled, after a person has settled it by hand, and announces its end.
 *
 * @throws DomainError ORDER_NOT_FOUND, ORDER_NOT_STUCK, OUTCOME_NOT_ALLOWED, ETAG_MISMATCH.
 */
export function forceResolveOrder(
  deps: DecideOrderDeps,
  decision: Decision & {
    readonly end: OrderState;
    readonly settledByHand: string;
  },
  keepAnswer?: KeepAnswer,
): Promise<Order> {
  const { end, etag, settledByHand } = decision;
  return decide(deps, decision, keepAnswer, async (tx, order, at) => {
    const after = forceResolve(order, end, etag, at);
    await updateOrder(tx, after, order.version, undefined);
    const event = eventOf(after);
    if (event && isSettled(after)) await deps.announce(tx, event);
    return { after, action: "force_resolve", settledByHand };
  });
}

type Decided = Pick<AuditRecord, "action" | "settledByHand"> & {
  readonly after: Order;
};

/** Decision, audit record, announcement and answer: at once or not at all. */
function decide(
  deps: DecideOrderDeps,
  decision: Decision,
  keepAnswer: KeepAnswer | undefined,
  work: (tx: Transaction, order: Order, at: Date) => Promise<Decided>,
): Promise<Order> {
  return deps.db.transaction(async (tx) => {
    await keepAnswer?.hold(tx);
    const order = await lockAnyOrder(tx, decision.id);
    if (order === undefined) throw orderNotFound(decision.id);
    const at = deps.now();
    const { after, action, settledByHand } = await work(tx, order, at);
    await insertAuditRecord(tx, {
      id: deps.newId(),
      orderId: order.id,
      tenant: order.tenant,
      action,
      actor: decision.actor,
      actorTenant: decision.actorTenant,
      reason: decision.reason,
      settledByHand,
      stateBefore: order.state,
      stateAfter: after.state,
      attention: order.attention,
      requestId: decision.requestId,
      at,
    });
    await keepAnswer?.answer(tx, after);
    tx.onCommit(() => deps.changes.wake());
    return after;
  });
}
