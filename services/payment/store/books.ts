import type { Executor } from "../../platform/data/executor.ts";
import type { OurBooks } from "../domain/compare-books.ts";
import { columns, toPayment, type PaymentRow } from "./payment-row.ts";
import type { PaymentKey } from "./payments.ts";

type BooksRow = PaymentRow & { holds: string; cash: string };

const ledgerSums = `
  select coalesce(sum(amount) filter (where account = 'provider_holds'), 0)::text as holds,
         coalesce(sum(amount) filter (where account = 'provider_cash'), 0)::text as cash
  from ledger_entries
  where ledger_entries.tenant = payments.tenant
    and ledger_entries.payment_id = payments.id`;

/** The payments of these names, with what the ledger has of each. */
export async function findBooks(
  db: Executor,
  keys: readonly PaymentKey[],
): Promise<OurBooks[]> {
  const { rows } = await db.query<BooksRow>(
    `select ${columns}, holds, cash
     from payments
     cross join lateral (${ledgerSums}) as ledger
     where (tenant, id) in (
       select *
       from unnest($1::text[], $2::uuid[])
     )`,
    [keys.map(({ tenant }) => tenant), keys.map(({ id }) => id)],
  );
  return rows.map(toBooks);
}

/** A page of the payments of a span of time that hold or have taken money, by time. */
export async function listBooks(
  db: Executor,
  query: {
    readonly start: Date;
    readonly end: Date;
    readonly after: OurBooks["payment"] | undefined;
    readonly limit: number;
  },
): Promise<OurBooks[]> {
  const { start, end, after, limit } = query;
  const { rows } = await db.query<BooksRow>(
    `select ${columns}, holds, cash
     from payments
     cross join lateral (${ledgerSums}) as ledger
     where created_at >= $1
       and created_at < $2
       and state in ('AUTHORIZED', 'CAPTURED', 'REFUNDED')
       and ($3::timestamptz is null or (created_at, id, tenant) > ($3, $4::uuid, $5))
     order by created_at, id, tenant
     limit $6`,
    [
      start,
      end,
      after?.createdAt ?? null,
      after?.id ?? null,
      after?.tenant ?? null,
      limit,
    ],
  );
  return rows.map(toBooks);
}

function toBooks(row: BooksRow): OurBooks {
  return {
    payment: toPayment(row),
    ledgerHolds: BigInt(row.holds),
    ledgerCash: BigInt(row.cash),
  };
}
