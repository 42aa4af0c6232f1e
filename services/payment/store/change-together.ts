import type { Executor } from "../../platform/data/executor.ts";
import { patience, recordSet } from "../../platform/data/record-set.ts";
import {
  outboxColumns,
  outboxRecord,
  type OutboxRow,
} from "../../platform/events/outbox-rows.ts";
import type { Payment } from "../domain/payment.ts";
import type { LedgerEntry } from "./ledger-entries.ts";
import { changingOf, changingRecord } from "./payment-row.ts";

/** A changed payment with all that its change brings about. */
export interface ChangedPayment {
  readonly payment: Payment;
  readonly versionBefore: bigint;
  /** When the recovery should look at it. */
  readonly checkAt: Date | undefined;
  readonly entries: readonly LedgerEntry[];
  readonly events: readonly OutboxRow[];
}

/**
 * Writes the changed payments whose version is still the one before, each with its ledger entries and its events, as one
 * statement, which is a transaction by itself. The others are left as they are. No two may have one id.
 *
 * @returns which were written, by their place in the list.
 */
export async function changePaymentsTogether(
  db: Executor,
  items: readonly ChangedPayment[],
): Promise<ReadonlySet<number>> {
  const { rows } = await db.query<{ n: number }>(statement, [
    recordSet(items.map(paymentRow)),
    items.length,
    recordSet(items.flatMap(entryRows)),
    recordSet(
      items.flatMap(({ events }, n) =>
        events.map((event, place) => ({ n, place, ...event })),
      ),
    ),
  ]);
  return new Set(rows.map(({ n }) => n));
}

function paymentRow(
  { payment, versionBefore, checkAt }: ChangedPayment,
  n: number,
) {
  return {
    n,
    tenant: payment.tenant,
    id: payment.id,
    ...changingOf(payment),
    version: payment.version,
    updated_at: payment.updatedAt,
    check_at: checkAt,
    version_before: versionBefore,
  };
}

function entryRows({ payment, entries }: ChangedPayment, n: number) {
  return entries.flatMap((entry) =>
    entry.postings.map(({ account, amount }) => ({
      n,
      tenant: payment.tenant,
      transaction_id: entry.transactionId,
      payment_id: payment.id,
      account,
      currency: entry.currency,
      amount,
      created_at: entry.createdAt,
    })),
  );
}

// The limit tells the planner how many rows there are: it takes every record set for a hundred.
const statement = `with ${patience},
     changed as materialized (
       select n, tenant, id, captured_amount, refunded_amount, state, decline_code,
         provider_reference, payment_token, token_fingerprint, pending, pending_amount,
         pending_refund_id, pending_since, asked_at, version, updated_at, check_at, version_before
       from json_to_recordset($1) as changed (
         n integer, tenant text, id uuid, ${changingRecord},
         version bigint, updated_at timestamptz, check_at timestamptz, version_before bigint
       )
       limit $2
     ),
     saved as (
       update payments
       set captured_amount = changed.captured_amount,
         refunded_amount = changed.refunded_amount,
         state = changed.state,
         decline_code = changed.decline_code,
         provider_reference = changed.provider_reference,
         payment_token = changed.payment_token,
         token_fingerprint = changed.token_fingerprint,
         pending = changed.pending,
         pending_amount = changed.pending_amount,
         pending_refund_id = changed.pending_refund_id,
         pending_since = changed.pending_since,
         asked_at = changed.asked_at,
         version = changed.version,
         updated_at = changed.updated_at,
         check_at = changed.check_at,
         checks = 0
       from patience
       cross join changed
       where payments.tenant = changed.tenant
         and payments.id = changed.id
         and payments.version = changed.version_before
       returning changed.n
     ),
     posted as (
       insert into ledger_entries
         (tenant, transaction_id, payment_id, account, currency, amount, created_at)
       select tenant, transaction_id, payment_id, account, currency, amount, created_at
       from json_to_recordset($3) as entry (
         n integer, tenant text, transaction_id uuid, payment_id uuid, account text, currency text,
         amount bigint, created_at timestamptz
       )
       where n in (select n from saved)
     ),
     announced as (
       insert into outbox (${outboxColumns})
       select ${outboxColumns}
       from json_to_recordset($4) as event (n integer, place integer, ${outboxRecord})
       where n in (select n from saved)
       order by n, place
     )
     select n
     from saved`;
