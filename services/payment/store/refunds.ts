import type { Executor } from "../../platform/data/executor.ts";
import type { PaymentKey } from "./payments.ts";

/** What the refund of this id gave back, in minor units; undefined if it gave nothing back yet. */
export async function findRefundedAmount(
  db: Executor,
  key: PaymentKey,
  refundId: string,
): Promise<bigint | undefined> {
  const { rows } = await db.query<{ amount: bigint }>(
    `select amount
     from refunds
     where tenant = $1
       and payment_id = $2
       and id = $3`,
    [key.tenant, key.id, refundId],
  );
  return rows[0]?.amount;
}

export async function insertRefund(
  tx: Executor,
  key: PaymentKey,
  refund: {
    readonly id: string;
    readonly amount: bigint;
    readonly createdAt: Date;
  },
): Promise<void> {
  await tx.query(
    `insert into refunds (tenant, payment_id, id, amount, created_at)
     values ($1, $2, $3, $4, $5)`,
    [key.tenant, key.id, refund.id, refund.amount, refund.createdAt],
  );
}
