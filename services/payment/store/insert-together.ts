import type { Executor } from "../../platform/data/executor.ts";
import { patience, recordSet } from "../../platform/data/record-set.ts";
import type { Payment } from "../domain/payment.ts";
import { changingOf, changingRecord, selected } from "./payment-row.ts";
import type { PaymentKey } from "./payments.ts";

/** A payment to be added, and when the recovery should look at it. */
export interface AddedPayment {
  readonly payment: Payment;
  readonly checkAt: Date | undefined;
}

/**
 * Adds the payments whose ids are not taken, as one statement, which is a transaction by itself. No two may have one id.
 *
 * @returns the names of those that were added, in no order.
 */
export async function insertPaymentsTogether(
  db: Executor,
  items: readonly AddedPayment[],
): Promise<readonly PaymentKey[]> {
  const rows = items.map(({ payment, checkAt }) => ({
    tenant: payment.tenant,
    id: payment.id,
    order_id: payment.orderId,
    currency: payment.amount?.currency,
    amount: payment.amount?.minorUnits,
    ...changingOf(payment),
    version: payment.version,
    created_at: payment.createdAt,
    updated_at: payment.updatedAt,
    check_at: checkAt,
    choreographed: payment.choreographed,
  }));
  const added = await db.query<PaymentKey>(
    `with ${patience}
     insert into payments (${selected}, check_at)
     select ${selected}, check_at
     from patience
     cross join json_to_recordset($1) as added (
       tenant text, id uuid, order_id text, currency text, amount bigint, ${changingRecord},
       version bigint, created_at timestamptz, updated_at timestamptz, check_at timestamptz,
       choreographed boolean
     )
     on conflict (tenant, id) do nothing
     returning tenant, id`,
    [recordSet(rows)],
  );
  return added.rows;
}
