import { decideCapture } from "../domain/decide.ts";
import type { Money } from "../domain/money.ts";
import type { Payment } from "../domain/payment.ts";
import type { PaymentKey } from "../store/payments.ts";
import { carryOut } from "./carry-out.ts";
import type { SettleDeps } from "./settle-payment.ts";

/**
 * Takes held money, all of it without an `amount`, once.
 *
 * @throws DomainError PAYMENT_NOT_FOUND, PAYMENT_NOT_AUTHORIZED, AMOUNT_TOO_LARGE, AMOUNT_INVALID, PROVIDER_UNAVAILABLE.
 */
export function capturePayment(
  deps: SettleDeps,
  key: PaymentKey,
  amount: Money | undefined,
): Promise<Payment> {
  return carryOut(deps, key, {
    decide: (payment) => decideCapture(payment, amount),
  });
}
