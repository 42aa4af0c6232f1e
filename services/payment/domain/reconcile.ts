import { createHash } from "node:crypto";
import { isUnsettled, type Payment } from "./payment.ts";
import type { PaymentChange } from "./payment-change.ts";

/** How a payment stands at the provider. */
export type ProviderIntent =
  | { readonly status: "held"; readonly reference: string }
  | {
      readonly status: "declined";
      readonly reference: string | undefined;
      readonly code: string;
    }
  | {
      readonly status: "taken";
      readonly reference: string;
      readonly amount: bigint;
      /** How much of it was given back, by whomever. */
      readonly refunded: bigint;
    }
  | { readonly status: "released"; readonly reference: string };

/**
 * What happened to the payment, given what the provider says of it. Moves
 * forward only: an answer that is older than what is known changes nothing.
 */
export function reconcile(
  payment: Payment,
  intent: ProviderIntent,
): PaymentChange[] {
  switch (intent.status) {
    case "held":
      if (isUnsettled(payment)) return [authorized(intent.reference)];
      return isLateHold(payment)
        ? [{ type: "late-hold-found", reference: intent.reference }]
        : [];
    case "declined":
      return isUnsettled(payment)
        ? [
            {
              type: "declined",
              code: intent.code,
              reference: intent.reference,
            },
          ]
        : [];
    case "taken": {
      const captured = { type: "captured", amount: intent.amount } as const;
      const taken = [captured, ...refundFound(0n, intent)];
      if (payment.state === "AUTHORIZED") return taken;
      return isUnsettled(payment)
        ? [authorized(intent.reference), ...taken]
        : refundsFound(payment, intent);
    }
    case "released":
      if (payment.state === "AUTHORIZED") return [{ type: "voided" }];
      if (isUnsettled(payment)) {
        return [authorized(intent.reference), { type: "voided" }];
      }
      return payment.state === "VOIDED" && payment.pending?.kind === "void"
        ? [{ type: "request-closed" }]
        : [];
  }
}

/**
 * What was given back at the provider without us, such as by hand. Nothing is known of that while a refund of ours is
 * pending, which may be a part of it.
 */
export function refundsFound(
  { state, pending, refunded }: Payment,
  intent: ProviderIntent,
): PaymentChange[] {
  return state === "CAPTURED" &&
    pending === undefined &&
    intent.status === "taken"
    ? refundFound(refunded, intent)
    : [];
}

function refundFound(
  known: bigint,
  { reference, refunded }: Extract<ProviderIntent, { status: "taken" }>,
): PaymentChange[] {
  if (refunded <= known) return [];
  const refundId = foundRefundId(reference, refunded);
  return [{ type: "refunded", refundId, amount: refunded - known }];
}

/** Of a refund that has none of ours: a UUID of version 8 (RFC 9562), made of what it brought the payment to. */
function foundRefundId(reference: string, refunded: bigint): string {
  const digest = createHash("sha256")
    .update(`${reference}/${refunded}`)
    .digest("hex");
  const parts = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(digest) ?? [];
  const [, low, mid, high, clock, node] = parts;
  return `${low}-${mid}-8${high}-8${clock}-${node}`;
}

/**
 * A payment is voided without the provider's word when the provider knew
 * nothing of it for long. If the hold shows up after all, it must be let go.
 */
function isLateHold(payment: Payment): boolean {
  return (
    payment.state === "VOIDED" &&
    payment.amount !== undefined &&
    payment.providerReference === undefined &&
    payment.pending === undefined
  );
}

function authorized(reference: string): PaymentChange {
  return { type: "authorized", reference };
}
