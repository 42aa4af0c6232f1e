import { createHash } from "node:crypto";
import { requireSamePayment } from "../domain/decide.ts";
import {
  isUnsettled,
  newPayment,
  type AuthorizeCommand,
  type Payment,
} from "../domain/payment.ts";
import { paymentNotFound } from "../domain/payment-refusals.ts";
import { findPayment } from "../store/payments.ts";
import { checkTime } from "./check-time.ts";
import { settlePayment, type SettleDeps } from "./settle-payment.ts";

/**
 * Holds money, once per payment id. A refusal by the provider is a DECLINED
 * payment.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE, PAYMENT_VOIDED, PAYMENT_CONFLICT.
 */
export async function authorizePayment(
  deps: SettleDeps,
  command: AuthorizeCommand,
): Promise<Payment> {
  const fingerprint = fingerprintOf(command);
  const payment = newPayment(command, fingerprint, deps.now());
  const checkAt = checkTime(deps.checkTimes, payment);
  if (await deps.batches.insert.submit({ payment, checkAt })) {
    return settlePayment(deps, payment, "first");
  }

  const existing = await findPayment(deps.db, payment);
  // Payments are never deleted, so the row that was in the way is there.
  if (existing === undefined) throw paymentNotFound(payment.id);
  requireSamePayment(existing, command, fingerprint);
  return isUnsettled(existing) ? settlePayment(deps, existing) : existing;
}

/** Tells whether a token is the same one, when the token itself is forgotten. */
export function fingerprintOf({
  tenant,
  paymentId,
  token,
}: AuthorizeCommand): string {
  return createHash("sha256")
    .update(JSON.stringify([tenant, paymentId, token]))
    .digest("base64url");
}
