import { DomainError, type ErrorCode } from "../../platform/runtime/errors.ts";

export function webhookSignatureInvalid(): DomainError {
  return refusal(
    "unauthenticated",
    "WEBHOOK_SIGNATURE_INVALID",
    "stripe-signature: missing, malformed, or made with no secret that is known here",
  );
}

export function webhookExpired(): DomainError {
  return refusal(
    "unauthenticated",
    "WEBHOOK_EXPIRED",
    "stripe-signature: its time is more than five minutes away from now",
  );
}

export function webhookUnreadable(): DomainError {
  return refusal(
    "invalid_argument",
    "WEBHOOK_UNREADABLE",
    "the body is not an event of the payment provider",
  );
}

export function webhooksDisabled(): DomainError {
  return refusal(
    "failed_precondition",
    "WEBHOOKS_DISABLED",
    "no webhook secret is configured",
  );
}

function refusal(
  code: ErrorCode,
  reason: string,
  message: string,
): DomainError {
  return new DomainError({ code, reason, message });
}
