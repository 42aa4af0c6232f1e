import { DomainError, type ErrorCode } from "../../platform/runtime/errors.ts";
import type { Payment } from "./payment.ts";

/** How long a caller should wait before it sends the same request again. */
const RETRY_AFTER_MS = 1_000;

export function paymentNotFound(id: string): DomainError {
  return refusal("not_found", "PAYMENT_NOT_FOUND", id, "does not exist");
}

export function notAuthorized({ id, state }: Payment): DomainError {
  const fault = `is ${state}, so nothing can be taken`;
  return refusal("failed_precondition", "PAYMENT_NOT_AUTHORIZED", id, fault, {
    state,
  });
}

export function notCaptured({ id, state }: Payment): DomainError {
  const fault = `is ${state}, so nothing can be given back`;
  return refusal("failed_precondition", "PAYMENT_NOT_CAPTURED", id, fault, {
    state,
  });
}

export function paymentCaptured({ id }: Payment): DomainError {
  const fault = "is taken, so the hold can't be let go";
  return refusal("failed_precondition", "PAYMENT_CAPTURED", id, fault);
}

export function paymentVoided({ id }: Payment): DomainError {
  const fault = "was voided before it was authorized";
  return refusal("failed_precondition", "PAYMENT_VOIDED", id, fault);
}

export function paymentDeclined({ id, declineCode }: Payment): DomainError {
  const fault = `was declined: ${declineCode ?? ""}`;
  return refusal("failed_precondition", "PAYMENT_DECLINED", id, fault, {
    decline_code: declineCode ?? "",
  });
}

export function paymentConflict({ id }: Pick<Payment, "id">): DomainError {
  const fault = "is of another order, amount or token";
  return refusal("invalid_argument", "PAYMENT_CONFLICT", id, fault);
}

export function amountTooLarge(requested: bigint, limit: bigint): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "AMOUNT_TOO_LARGE",
    message: `The amount of ${requested} minor units is more than ${limit}, which is left.`,
    field: "amount",
    metadata: { requested: requested.toString(), limit: limit.toString() },
  });
}

export function amountInvalid(message: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "AMOUNT_INVALID",
    message,
    field: "amount",
  });
}

export function providerUnavailable(id: string, cause: unknown): DomainError {
  return new DomainError({
    code: "unavailable",
    reason: "PROVIDER_UNAVAILABLE",
    message: `The payment provider did not tell about payment ${id}. Send the same request again.`,
    metadata: { payment: `payments/${id}` },
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  });
}

function refusal(
  code: ErrorCode,
  reason: string,
  id: string,
  fault: string,
  metadata: Record<string, string> = {},
): DomainError {
  return new DomainError({
    code,
    reason,
    message: `The payment ${id} ${fault}.`,
    metadata: { payment: `payments/${id}`, ...metadata },
  });
}
