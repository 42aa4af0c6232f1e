import { ProviderError } from "./provider-error.ts";

export type IntentStatus =
  "requires_payment_method" | "requires_capture" | "succeeded" | "canceled";

/** Stripe's PaymentIntent, the fields that a capture flow needs. Amounts are minor units. */
export interface PaymentIntent {
  readonly id: string;
  readonly object: "payment_intent";
  readonly amount: number;
  readonly amount_capturable: number;
  readonly amount_received: number;
  /** Not Stripe's: there it is a field of the charge. */
  readonly amount_refunded: number;
  readonly capture_method: "manual";
  readonly created: number;
  readonly currency: string;
  readonly last_payment_error: { code: string; decline_code: string } | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly payment_method: string;
  readonly status: IntentStatus;
}

export interface Refund {
  readonly id: string;
  readonly object: "refund";
  readonly amount: number;
  readonly created: number;
  readonly currency: string;
  readonly payment_intent: string;
  readonly status: "succeeded";
}

/** Takes `amount` of the hold, all of it when left out; the rest is let go. */
export function captureIntent(
  intent: PaymentIntent,
  amount: number | undefined,
): PaymentIntent {
  if (intent.status !== "requires_capture") {
    throw unexpectedState(intent, "captured");
  }
  const taken = amount ?? intent.amount_capturable;
  if (taken > intent.amount_capturable) {
    throw tooLarge(intent, "amount_to_capture", intent.amount_capturable);
  }
  return {
    ...intent,
    status: "succeeded",
    amount_capturable: 0,
    amount_received: taken,
  };
}

export function cancelIntent(intent: PaymentIntent): PaymentIntent {
  if (intent.status === "succeeded" || intent.status === "canceled") {
    throw unexpectedState(intent, "canceled");
  }
  return { ...intent, status: "canceled", amount_capturable: 0 };
}

/** Gives `amount` back, all that is left when left out. */
export function refundIntent(
  intent: PaymentIntent,
  amount: number | undefined,
): { intent: PaymentIntent; amount: number } {
  if (intent.status !== "succeeded") throw unexpectedState(intent, "refunded");
  const left = intent.amount_received - intent.amount_refunded;
  const given = amount ?? left;
  if (left === 0) throw alreadyRefunded(intent);
  if (given > left) throw tooLarge(intent, "amount", left);
  const refunded = intent.amount_refunded + given;
  return { intent: { ...intent, amount_refunded: refunded }, amount: given };
}

function unexpectedState(intent: PaymentIntent, verb: string): ProviderError {
  return new ProviderError({
    status: 400,
    type: "invalid_request_error",
    code: "payment_intent_unexpected_state",
    message: `This PaymentIntent could not be ${verb} because it has a status of ${intent.status}.`,
    intent,
  });
}

function alreadyRefunded(intent: PaymentIntent): ProviderError {
  return new ProviderError({
    status: 400,
    type: "invalid_request_error",
    code: "charge_already_refunded",
    message: "All that was taken is refunded already.",
    intent,
  });
}

function tooLarge(
  intent: PaymentIntent,
  param: string,
  limit: number,
): ProviderError {
  return new ProviderError({
    status: 400,
    type: "invalid_request_error",
    code: "amount_too_large",
    message: `The amount is more than ${limit}, which is left.`,
    param,
    intent,
  });
}
