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
