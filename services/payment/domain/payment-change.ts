import { isUnsettled, type Payment } from "./payment.ts";
import {
  notAuthorized,
  notCaptured,
  paymentCaptured,
  paymentConflict,
} from "./payment-refusals.ts";

/** Everything that can happen to a payment that exists. */
export type PaymentChange =
  | { readonly type: "asked" }
  | { readonly type: "unanswered" }
  | { readonly type: "authorized"; readonly reference: string }
  | {
      readonly type: "declined";
      readonly code: string;
      readonly reference: string | undefined;
    }
  | { readonly type: "capture-requested"; readonly amount: bigint }
  | { readonly type: "captured"; readonly amount: bigint }
  | { readonly type: "void-requested" }
  | { readonly type: "voided" }
  | {
      readonly type: "refund-requested";
      readonly refundId: string;
      readonly amount: bigint;
    }
  | {
      readonly type: "refunded";
      readonly refundId: string;
      readonly amount: bigint;
    }
  | { readonly type: "late-hold-found"; readonly reference: string }
  | { readonly type: "request-closed" };

/**
 * The payment after `change`.
 *
 * @throws DomainError when the change can't follow the payment's state.
 */
export function applyChange(
  payment: Payment,
  change: PaymentChange,
  at: Date,
): Payment {
  return {
    ...payment,
    ...effectOf(payment, change, at),
    version: payment.version + 1n,
    updatedAt: at,
  };
}

function effectOf(
  payment: Payment,
  change: PaymentChange,
  at: Date,
): Partial<Payment> {
  switch (change.type) {
    case "asked":
      requireUnsettled(payment);
      return { askedAt: at };
    case "unanswered":
      requireUnsettled(payment);
      return { state: "UNKNOWN" };
    case "authorized":
      requireUnsettled(payment);
      return {
        state: "AUTHORIZED",
        providerReference: change.reference,
        token: undefined,
      };
    case "declined":
      requireUnsettled(payment);
      return {
        state: "DECLINED",
        declineCode: change.code,
        providerReference: change.reference,
        token: undefined,
        pending: undefined,
      };
    case "capture-requested":
      requireAuthorized(payment);
      requireIdle(payment);
      return { pending: { kind: "capture", amount: change.amount, since: at } };
    case "captured":
      requireAuthorized(payment);
      return {
        state: "CAPTURED",
        captured: change.amount,
        pending: undefined,
      };
    case "void-requested":
      if (!isUnsettled(payment)) requireAuthorized(payment);
      requireIdle(payment);
      return { pending: { kind: "void", since: at } };
    case "voided":
      if (payment.captured > 0n) throw paymentCaptured(payment);
      if (!isUnsettled(payment)) requireAuthorized(payment);
      return { state: "VOIDED", token: undefined, pending: undefined };
    case "refund-requested":
      requireCaptured(payment);
      requireIdle(payment);
      return {
        pending: {
          kind: "refund",
          refundId: change.refundId,
          amount: change.amount,
          since: at,
        },
      };
    case "refunded":
      return refunded(payment, change.amount);
    case "late-hold-found":
      requireIdle(payment);
      if (payment.state !== "VOIDED") throw paymentConflict(payment);
      return {
        providerReference: change.reference,
        pending: { kind: "void", since: at },
      };
    case "request-closed":
      return { pending: undefined };
  }
}

function refunded(payment: Payment, amount: bigint): Partial<Payment> {
  requireCaptured(payment);
  const total = payment.refunded + amount;
  if (total > payment.captured) throw notCaptured(payment);
  return {
    state: total === payment.captured ? "REFUNDED" : "CAPTURED",
    refunded: total,
    pending: undefined,
  };
}

function requireUnsettled(payment: Payment): void {
  if (!isUnsettled(payment)) throw paymentConflict(payment);
}

function requireAuthorized(payment: Payment): void {
  if (payment.state !== "AUTHORIZED") throw notAuthorized(payment);
}

function requireCaptured(payment: Payment): void {
  if (payment.state !== "CAPTURED") throw notCaptured(payment);
}

function requireIdle(payment: Payment): void {
  if (payment.pending !== undefined) throw paymentConflict(payment);
}
