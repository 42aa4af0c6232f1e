import { decideVoid } from "../domain/decide.ts";
import { newTombstone, type Payment } from "../domain/payment.ts";
import { insertPayment, type PaymentKey } from "../store/payments.ts";
import { carryOut } from "./carry-out.ts";
import type { SettleDeps } from "./settle-payment.ts";

/**
 * Lets held money go. Where the payment was never made, a mark is left that
 * refuses it from then on.
 *
 * @throws DomainError PAYMENT_CAPTURED, PAYMENT_CONFLICT, PROVIDER_UNAVAILABLE.
 */
export async function voidPayment(
  deps: SettleDeps,
  key: PaymentKey,
  orderId: string,
): Promise<Payment> {
  const { tenant, id: paymentId } = key;
  const mark = newTombstone({ tenant, paymentId, orderId }, deps.now());
  if (await insertPayment(deps.db, mark, undefined)) return mark;

  return carryOut(deps, key, {
    decide: (payment) => decideVoid(payment, orderId),
    mayPrecedeHold: true,
  });
}
