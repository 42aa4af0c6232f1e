import { decideRefund, type RefundCommand } from "../domain/decide.ts";
import type { Payment } from "../domain/payment.ts";
import type { PaymentKey } from "../store/payments.ts";
import { findRefundedAmount } from "../store/refunds.ts";
import { carryOut } from "./carry-out.ts";
import type { SettleDeps } from "./settle-payment.ts";

/**
 * Gives taken money back, all that is left without an `amount`, once per refund id.
 *
 * @throws DomainError PAYMENT_NOT_FOUND, PAYMENT_NOT_CAPTURED, AMOUNT_TOO_LARGE, AMOUNT_INVALID, PROVIDER_UNAVAILABLE.
 */
export function refundPayment(
  deps: SettleDeps,
  key: PaymentKey,
  command: RefundCommand,
): Promise<Payment> {
  return carryOut(deps, key, {
    needsLock: true,
    decide: async (payment, db) => {
      const done = await findRefundedAmount(db, key, command.refundId);
      return decideRefund(payment, command, done);
    },
  });
}
