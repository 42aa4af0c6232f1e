import { DomainError } from "../../platform/runtime/errors.ts";
import { resume, settleByHand } from "./attention.ts";
import { etagOf } from "./etag.ts";
import {
  isSettled,
  orderName,
  type Order,
  type OrderAttention,
  type OrderState,
} from "./order.ts";

/** What an operator decided about an order, and why. */
export interface AuditRecord {
  readonly id: string;
  readonly orderId: string;
  readonly tenant: string;
  readonly action: "retry" | "force_resolve";
  readonly actor: string;
  readonly actorTenant: string;
  readonly reason: string;
  /** What was settled outside of the mesh. */
  readonly settledByHand: string;
  readonly stateBefore: OrderState;
  readonly stateAfter: OrderState;
  readonly attention: OrderAttention | undefined;
  readonly requestId: string | undefined;
  readonly at: Date;
}

/**
 * The order that is tried again at once. One in `needs_attention` goes on from where it stood; any other stays as it is.
 *
 * @throws DomainError ETAG_MISMATCH, ORDER_NOT_STUCK where it is settled.
 */
export function retryOnRequest(order: Order, etag: string, at: Date): Order {
  requireEtag(order, etag);
  if (isSettled(order)) {
    throw new DomainError({
      code: "failed_precondition",
      reason: "ORDER_NOT_STUCK",
      message: `${orderName(order.id)} is settled`,
      metadata: { order: orderName(order.id), state: order.state },
    });
  }
  return order.attention ? resume(order, at) : order;
}

/**
 * The order that an operator declares settled.
 *
 * @throws DomainError ETAG_MISMATCH, ORDER_NOT_STUCK, OUTCOME_NOT_ALLOWED.
 */
export function forceResolve(
  order: Order,
  end: OrderState,
  etag: string,
  at: Date,
): Order {
  requireEtag(order, etag);
  return settleByHand(order, end, at);
}

function requireEtag(order: Order, etag: string): void {
  if (etag === "" || etag === etagOf(order)) return;
  throw new DomainError({
    code: "aborted",
    reason: "ETAG_MISMATCH",
    message: `${orderName(order.id)} has changed since its etag was read`,
    metadata: { order: orderName(order.id) },
  });
}
