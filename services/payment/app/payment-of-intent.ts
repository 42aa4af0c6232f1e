import type { Executor } from "../../platform/data/executor.ts";
import { isUuid } from "../../platform/runtime/ids.ts";
import type { Payment } from "../domain/payment.ts";
import { plainTenant } from "../domain/plain-tenant.ts";
import { findPayment, findPaymentsOfHashedTenants } from "../store/payments.ts";

/** What we told the provider of a payment, as it tells us back. */
export interface IntentMetadata {
  readonly tenant: string;
  readonly paymentId: string;
}

/** Our payment behind one of the provider's; undefined where there is none. */
export async function paymentOfIntent(
  db: Executor,
  { tenant, paymentId }: IntentMetadata,
): Promise<Payment | undefined> {
  if (!isUuid(paymentId)) {
    return undefined;
  }
  const named = await findPayment(db, { tenant, id: paymentId });
  if (named !== undefined) return named;
  // The hash of a name that the provider can't hold.
  if (!/^[0-9a-f]{64}$/.test(tenant)) return undefined;
  const candidates = await findPaymentsOfHashedTenants(db, paymentId);
  return candidates.find((payment) => plainTenant(payment.tenant) === tenant);
}
