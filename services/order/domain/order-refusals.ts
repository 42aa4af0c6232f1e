import { DomainError } from "../../platform/runtime/errors.ts";
import { orderName } from "./order.ts";

/** No such order in the tenant; whether another tenant has one is not told. */
export function orderNotFound(id: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "ORDER_NOT_FOUND",
    message: `${orderName(id)} does not exist`,
    metadata: { order: orderName(id) },
  });
}

/** The request id names an order that was placed with another body. */
export function requestIdReused(requestId: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `request_id: ${requestId} was used with another order`,
    metadata: { request_id: requestId },
    field: "request_id",
  });
}

/** More orders are under way than are settled in good time. Nothing is stored of this one. */
export function overloaded(retryAfterMs: number): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "OVERLOADED",
    message: "too many orders are under way; send this one again later",
    retryAfterMs,
  });
}

/** The service is not configured for it. */
export function coordinationNotOffered(coordination: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "COORDINATION_NOT_OFFERED",
    message: `order.coordination: ${coordination} orders are not taken here`,
    metadata: { coordination },
    field: "order.coordination",
  });
}

/** Its stock is being sold, or is sold. */
export function notCancellable(order: {
  readonly id: string;
  readonly state: string;
}): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "ORDER_NOT_CANCELLABLE",
    message: `${orderName(order.id)} is ${order.state} and can't be cancelled`,
    metadata: { order: orderName(order.id), state: order.state },
  });
}

/** Whether it can be cancelled is not known yet. */
export function stockUnknown(
  order: { readonly id: string },
  outcome: { readonly kind: string; readonly cause?: unknown },
): DomainError {
  return new DomainError({
    code: "unavailable",
    reason: "STEP_UNANSWERED",
    message: `whether ${orderName(order.id)} can be cancelled is not known yet; ask again`,
    metadata: { order: orderName(order.id) },
    retryAfterMs: 1_000,
    cause: outcome.cause,
  });
}
