import type { Executor } from "../../platform/data/executor.ts";
import type { BookedPosting, Posting } from "../domain/ledger.ts";
import type { PaymentKey } from "./payments.ts";

/** One double entry of the ledger. */
export interface LedgerEntry {
  readonly transactionId: string;
  readonly currency: string;
  readonly postings: readonly Posting[];
  readonly createdAt: Date;
}

/** Writes one double entry. The commit is refused unless its postings sum to zero. */
export async function insertLedgerEntries(
  tx: Executor,
  key: PaymentKey,
  entry: LedgerEntry,
): Promise<void> {
  await tx.query(
    `insert into ledger_entries
       (tenant, transaction_id, payment_id, account, currency, amount, created_at)
     select $1, $2, $3, posting.account, $4, posting.amount, $5
     from unnest($6::text[], $7::bigint[]) as posting (account, amount)`,
    [
      key.tenant,
      entry.transactionId,
      key.id,
      entry.currency,
      entry.createdAt,
      entry.postings.map((posting) => posting.account),
      entry.postings.map((posting) => posting.amount),
    ],
  );
}

/** A page of a tenant's postings, newest transaction first; only those of one payment where it is given. */
export async function listLedgerEntries(
  db: Executor,
  query: {
    readonly tenant: string;
    readonly paymentId: string | undefined;
    readonly after: Pick<BookedPosting, "transactionId" | "id"> | undefined;
    readonly limit: number;
  },
): Promise<BookedPosting[]> {
  const { rows } = await db.query<BookedPosting>(
    `select id::text as id, transaction_id as "transactionId", payment_id as "paymentId",
            account, currency, amount, created_at as "createdAt"
     from ledger_entries
     where tenant = $1
       ${query.paymentId === undefined ? "and $2::uuid is null" : "and payment_id = $2"}
       and ($3::uuid is null or (transaction_id, id) < ($3, $4::bigint))
     order by transaction_id desc, id desc
     limit $5`,
    [
      query.tenant,
      query.paymentId ?? null,
      query.after?.transactionId ?? null,
      query.after?.id ?? null,
      query.limit,
    ],
  );
  return [...rows];
}
