import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import type { Balance, LedgerAccount } from "../domain/ledger.ts";
import type { PaymentKey } from "./payments.ts";

interface BalanceRow {
  readonly account: LedgerAccount;
  readonly currency: string;
  readonly amount: string;
}

/** What is on each account of a tenant: what is rolled up, and the entries since. */
export async function findBalances(
  db: Executor,
  tenant: string,
): Promise<Balance[]> {
  const { rows } = await db.query<BalanceRow>(
    `select account, currency, sum(amount)::text as amount
     from (
       select account, currency, amount
       from ledger_balances
       where tenant = $1
       union all
       select account, currency, amount
       from ledger_entries
       where tenant = $1
         and xid >= (select rolled_up_to from ledger_rollup)
     ) as parts
     group by account, currency
     order by account, currency`,
    [tenant],
  );
  return rows.map(toBalance);
}

/** What one payment moved, account by account. */
export async function findBalancesOfPayment(
  db: Executor,
  { tenant, id }: PaymentKey,
): Promise<Balance[]> {
  const { rows } = await db.query<BalanceRow>(
    `select account, currency, sum(amount)::text as amount
     from ledger_entries
     where tenant = $1
       and payment_id = $2
     group by account, currency
     order by account, currency`,
    [tenant, id],
  );
  return rows.map(toBalance);
}

const CLUSTER = `(
  select system_identifier || '/' || timeline_id
  from pg_control_system(), pg_control_checkpoint()
)`;

/** Adds what came since the last time to the balances. Waits for another process that does the same. */
export async function rollUpBalances(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    const { rows } = await tx.query<{ from: bigint; is_other: boolean }>(
      `select rolled_up_to as from, cluster <> ${CLUSTER} as is_other
       from ledger_rollup
       for update`,
    );
    const isOther = rows[0]?.is_other ?? false;
    if (isOther) await tx.query("delete from ledger_balances");
    await tx.query(
      `with gate as (
         select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin
       ), added as (
         insert into ledger_balances as known (tenant, account, currency, amount)
         select tenant, account, currency, sum(amount)
         from ledger_entries
         where xid >= $1
           and xid < (select xmin from gate)
         group by tenant, account, currency
         on conflict (tenant, account, currency) do update
         set amount = known.amount + excluded.amount
       )
       update ledger_rollup
       set rolled_up_to = gate.xmin, cluster = ${CLUSTER}
       from gate`,
      [isOther ? 0n : (rows[0]?.from ?? 0n)],
    );
  });
}

function toBalance({ account, currency, amount }: BalanceRow): Balance {
  return { account, currency, amount: BigInt(amount) };
}
