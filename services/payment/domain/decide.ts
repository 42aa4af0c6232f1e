import type { Money } from "./money.ts";
import type { AuthorizeCommand, Payment } from "./payment.ts";
import type { PaymentChange } from "./payment-change.ts";
import {
  amountInvalid,
  amountTooLarge,
  notAuthorized,
  notCaptured,
  paymentCaptured,
  paymentConflict,
  paymentVoided,
} from "./payment-refusals.ts";

/**
 * Makes sure that a repeated Authorize is the first one again.
 *
 * @throws DomainError PAYMENT_VOIDED after a void that came first, PAYMENT_CONFLICT for another order, amount or token.
 */
export function requireSamePayment(
  payment: Payment,
  command: AuthorizeCommand,
  tokenFingerprint: string,
): void {
  if (payment.amount === undefined) throw paymentVoided(payment);
  const same =
    payment.orderId === command.orderId &&
    payment.amount.currency === command.amount.currency &&
    payment.amount.minorUnits === command.amount.minorUnits &&
    payment.tokenFingerprint === tokenFingerprint;
  if (!same) throw paymentConflict(payment);
}

/** What a Capture asks for, or undefined where it is done already. All that is held without an `amount`. */
export function decideCapture(
  payment: Payment,
  amount: Money | undefined,
): PaymentChange | undefined {
  if (payment.state === "CAPTURED" || payment.state === "REFUNDED") {
    return undefined;
  }
  if (payment.state !== "AUTHORIZED" || payment.amount === undefined) {
    throw notAuthorized(payment);
  }
  const held = payment.amount;
  requireAmount(amount, held.currency, held.minorUnits);
  return {
    type: "capture-requested",
    amount: amount?.minorUnits ?? held.minorUnits,
  };
}

/** What a Void asks for, or undefined where nothing is held. */
export function decideVoid(
  payment: Payment,
  orderId: string,
): PaymentChange | undefined {
  if (payment.orderId !== orderId) throw paymentConflict(payment);
  switch (payment.state) {
    case "VOIDED":
    case "DECLINED":
      return undefined;
    case "CAPTURED":
    case "REFUNDED":
      throw paymentCaptured(payment);
    case "AUTHORIZING":
    case "UNKNOWN":
    case "AUTHORIZED":
      return { type: "void-requested" };
  }
}

export interface RefundCommand {
  readonly refundId: string;
  /** All that is left when undefined. */
  readonly amount: Money | undefined;
}

/**
 * What a Refund asks for, or undefined where this refund is done already.
 *
 * @param done what the refund of this id gave back, if it did.
 */
export function decideRefund(
  payment: Payment,
  { refundId, amount }: RefundCommand,
  done: bigint | undefined,
): PaymentChange | undefined {
  if (done !== undefined) {
    if (amount !== undefined && amount.minorUnits !== done) {
      throw paymentConflict(payment);
    }
    return undefined;
  }
  if (payment.state !== "CAPTURED" || payment.amount === undefined) {
    throw notCaptured(payment);
  }
  const left = payment.captured - payment.refunded;
  requireAmount(amount, payment.amount.currency, left);
  return {
    type: "refund-requested",
    refundId,
    amount: amount?.minorUnits ?? left,
  };
}

function requireAmount(
  amount: Money | undefined,
  currency: string,
  limit: bigint,
): void {
  if (amount === undefined) return;
  if (amount.currency !== currency) {
    throw amountInvalid(`The payment is in ${currency}.`);
  }
  if (amount.minorUnits <= 0n) {
    throw amountInvalid("The amount must be more than zero.");
  }
  if (amount.minorUnits > limit) throw amountTooLarge(amount.minorUnits, limit);
}
