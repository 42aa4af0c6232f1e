import type { Database } from "../../platform/data/database.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { postingsOf } from "../domain/ledger.ts";
import type { Payment } from "../domain/payment.ts";
import { applyChange, type PaymentChange } from "../domain/payment-change.ts";
import {
  paymentConflict,
  paymentNotFound,
} from "../domain/payment-refusals.ts";
import { insertLedgerEntries } from "../store/ledger-entries.ts";
import {
  lockPayment,
  updatePayment,
  type PaymentKey,
} from "../store/payments.ts";
import { insertRefund } from "../store/refunds.ts";
import type { Announce, AnnounceTogether } from "./announce.ts";
import { checkTime, type CheckTimes } from "./check-time.ts";

export interface RecordDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly announceTogether: AnnounceTogether;
  readonly newId: () => string;
  readonly now: () => Date;
  readonly checkTimes: CheckTimes;
}

/**
 * Changes a payment under its lock, as `record-batch.ts` does without one:
 * applies what `decide` makes of it, and writes the payment, its ledger entries, its refund and its
 * events in one transaction. Returns the payment as it stands then.
 *
 * @throws DomainError PAYMENT_NOT_FOUND, or what `decide` throws.
 */
export async function recordChanges(
  deps: RecordDeps,
  key: PaymentKey,
  decide: Decide,
): Promise<Payment> {
  return deps.db.transaction((tx) => recordChangesIn(deps, tx, key, decide));
}

type Decide = (
  payment: Payment,
  tx: Transaction,
) => Promise<readonly PaymentChange[]> | readonly PaymentChange[];

/** As {@link recordChanges}, in a transaction of the caller's. */
export async function recordChangesIn(
  deps: RecordDeps,
  tx: Transaction,
  key: PaymentKey,
  decide: Decide,
): Promise<Payment> {
  const before = await lockPayment(tx, key);
  if (before === undefined) throw paymentNotFound(key.id);
  const at = deps.now();
  let payment = before;
  for (const change of await decide(before, tx)) {
    const after = applyChange(payment, change, at);
    await recordMoney(deps, tx, payment, change, at);
    await deps.announce(tx, after, change);
    payment = after;
  }
  if (payment === before) return payment;
  const checkAt = checkTime(deps.checkTimes, payment);
  if (!(await updatePayment(tx, payment, before.version, checkAt))) {
    throw paymentConflict(payment);
  }
  return payment;
}

async function recordMoney(
  deps: RecordDeps,
  tx: Transaction,
  payment: Payment,
  change: PaymentChange,
  at: Date,
): Promise<void> {
  const postings = postingsOf(payment, change);
  if (postings.length > 0 && payment.amount !== undefined) {
    await insertLedgerEntries(tx, payment, {
      transactionId: deps.newId(),
      currency: payment.amount.currency,
      postings,
      createdAt: at,
    });
  }
  if (change.type === "refunded") {
    const { refundId: id, amount } = change;
    await insertRefund(tx, payment, { id, amount, createdAt: at });
  }
}
