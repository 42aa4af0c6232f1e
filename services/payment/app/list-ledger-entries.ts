import type { Executor } from "../../platform/data/executor.ts";
import type { BookedPosting } from "../domain/ledger.ts";
import * as store from "../store/ledger-entries.ts";

export interface ListLedgerEntries {
  readonly tenant: string;
  readonly paymentId: string | undefined;
  readonly after: Pick<BookedPosting, "transactionId" | "id"> | undefined;
  readonly pageSize: number;
}

export interface LedgerPage {
  readonly entries: readonly BookedPosting[];
  /** Undefined on the last page. */
  readonly next: BookedPosting | undefined;
}

/** A page of the tenant's ledger, newest transaction first. */
export async function listLedgerEntries(
  deps: { readonly db: Executor },
  { pageSize, ...query }: ListLedgerEntries,
): Promise<LedgerPage> {
  const limit = pageSize + 1;
  const found = await store.listLedgerEntries(deps.db, { ...query, limit });
  const entries = found.slice(0, pageSize);
  return {
    entries,
    next: found.length > pageSize ? entries.at(-1) : undefined,
  };
}
