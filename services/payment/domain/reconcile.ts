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
      if (payment.state === "AUTHORIZED") return [captured];
      return isUnsettled(payment)
        ? [authorized(intent.reference), captured]
        : [];
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
