import type { Executor } from "../../platform/data/executor.ts";
import type { Posting } from "../domain/ledger.ts";
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
