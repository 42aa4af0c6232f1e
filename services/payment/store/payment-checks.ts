import type { Executor } from "../../platform/data/executor.ts";
import type { PaymentKey } from "./payments.ts";

/**
 * Takes a batch of payments whose check is due, and puts each one's next check
 * off, twice as far every time up to `capMs`, so that several instances share
 * the work and a payment that nobody can settle costs little.
 */
export async function claimDueChecks(
  db: Executor,
  batch: {
    readonly now: Date;
    readonly baseMs: number;
    readonly capMs: number;
    readonly limit: number;
  },
): Promise<readonly PaymentKey[]> {
  const { rows } = await db.query<PaymentKey>(
    // Materialized, as a plan that ran the subquery twice would take more than the limit.
    `with due as materialized (
       select tenant as due_tenant, id as due_id
       from payments
       where check_at <= $1
       order by check_at
       limit $4
       for update skip locked
     )
     update payments
     set checks = checks + 1,
         check_at = $1::timestamptz
           + least($3, $2 * 2 ^ least(checks, 20)) * (0.5 + random() / 2) * interval '1 millisecond'
     from due
     where tenant = due_tenant
       and id = due_id
     returning tenant, id`,
    [batch.now, batch.baseMs, batch.capMs, batch.limit],
  );
  return rows;
}

/** Ends the checks of a payment about which nothing more is to be found out. */
export async function dropCheck(db: Executor, key: PaymentKey): Promise<void> {
  await db.query(
    `update payments
     set check_at = null
     where tenant = $1
       and id = $2`,
    [key.tenant, key.id],
  );
}
