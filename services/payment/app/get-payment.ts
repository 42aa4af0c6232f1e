import type { Executor } from "../../platform/data/executor.ts";
import type { Payment } from "../domain/payment.ts";
import { paymentNotFound } from "../domain/payment-refusals.ts";
import { findPayment, type PaymentKey } from "../store/payments.ts";

/** @throws DomainError PAYMENT_NOT_FOUND, also for a payment of another tenant. */
export async function getPayment(
  deps: { readonly db: Executor },
  key: PaymentKey,
): Promise<Payment> {
  const payment = await findPayment(deps.db, key);
  if (payment === undefined) throw paymentNotFound(key.id);
  return payment;
}
