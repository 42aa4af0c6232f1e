import { context } from "@opentelemetry/api";
import { createBatcher, type Batcher } from "../../platform/data/batcher.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import { postingsOf } from "../domain/ledger.ts";
import { applyChange, type PaymentChange } from "../domain/payment-change.ts";
import type { Payment } from "../domain/payment.ts";
import {
  changePaymentsTogether,
  type ChangedPayment,
} from "../store/change-together.ts";
import {
  insertPaymentsTogether,
  type AddedPayment,
} from "../store/insert-together.ts";
import type { LedgerEntry } from "../store/ledger-entries.ts";
import {
  findPayment,
  findPayments,
  insertPayment,
  type PaymentKey,
} from "../store/payments.ts";
import { checkTime } from "./check-time.ts";
import { recordChanges, type RecordDeps } from "./record-changes.ts";

/** What is done to payments, each kind in batches of its own. */
export interface PaymentBatches {
  /** False where the id is taken. */
  readonly insert: Batcher<AddedPayment, boolean>;
  readonly find: Batcher<PaymentKey, { readonly payment: Payment | undefined }>;
  readonly change: Batcher<WaitingChange, Payment>;
}

export interface RecordBatchDeps extends RecordDeps {
  readonly batches: PaymentBatches;
}

/** A change that waits for its batch, and what to do where the payment is no longer what the change was made of. */
interface WaitingChange extends ChangedPayment {
  readonly underLock: () => Promise<Payment>;
}

export function createPaymentBatches(
  deps: Pick<RecordDeps, "db" | "announceTogether"> & {
    readonly logger: Logger;
  },
): PaymentBatches {
  const { db, logger } = deps;
  return {
    insert: createBatcher<AddedPayment, boolean>({
      name: "insert payment",
      logger,
      keyOf: ({ payment }) => keyOf(payment),
      async together(items) {
        const added = new Set(
          (await insertPaymentsTogether(db, items)).map(keyOf),
        );
        return items.map(({ payment }) => added.has(keyOf(payment)));
      },
      alone: ({ payment, checkAt }) => insertPayment(db, payment, checkAt),
    }),
    find: createBatcher({
      name: "find payment",
      logger,
      async together(keys: readonly PaymentKey[]) {
        const found = await findPayments(db, keys);
        const byKey = new Map(
          found.map((payment) => [keyOf(payment), payment]),
        );
        return keys.map((key) => ({ payment: byKey.get(keyOf(key)) }));
      },
      alone: async (key) => ({ payment: await findPayment(db, key) }),
    }),
    change: createBatcher<WaitingChange, Payment>({
      name: "change payment",
      logger,
      keyOf: ({ payment }) => keyOf(payment),
      async together(items) {
        const written = await changePaymentsTogether(db, items);
        deps.announceTogether.wake();
        return items.map(({ payment }, n) =>
          written.has(n) ? payment : undefined,
        );
      },
      alone: ({ underLock }) => underLock(),
    }),
  };
}

/**
 * Records what `decide` makes of a payment that was just read: in a batch if it is still the same, else under its lock.
 * Returns the payment as it stands then.
 *
 * @throws DomainError PAYMENT_NOT_FOUND, or what `decide` throws.
 */
export function recordKnown(
  deps: RecordBatchDeps,
  known: Payment,
  decide: (payment: Payment) => readonly PaymentChange[],
): Promise<Payment> {
  return recordOr(deps, known, decide(known), () =>
    recordChanges(deps, known, decide),
  );
}

/** Records these changes of a payment that was just read, or does `underLock` where that is not possible any more. */
export async function recordOr(
  deps: RecordBatchDeps,
  known: Payment,
  changes: readonly PaymentChange[],
  underLock: () => Promise<Payment>,
): Promise<Payment> {
  const changed = applyAll(deps, known, changes);
  return changed === undefined
    ? underLock()
    : deps.batches.change.submit({ ...changed, underLock });
}

/** All that the changes bring about; undefined where they change nothing, can't follow, or need more than a batch writes. */
export function applyAll(
  deps: RecordDeps,
  before: Payment,
  changes: readonly PaymentChange[],
): ChangedPayment | undefined {
  const at = deps.now();
  const entries: LedgerEntry[] = [];
  const events = [];
  let payment = before;
  for (const change of changes) {
    // A refund has a row of its own.
    const after =
      change.type === "refunded" ? undefined : applied(payment, change, at);
    if (after === undefined) return undefined;
    const postings = postingsOf(payment, change);
    if (postings.length > 0 && payment.amount !== undefined) {
      const { currency } = payment.amount;
      const transactionId = deps.newId();
      entries.push({ transactionId, currency, postings, createdAt: at });
    }
    const event = deps.announceTogether.row(after, change, context.active());
    if (event !== undefined) events.push(event);
    payment = after;
  }
  if (payment === before) return undefined;
  const checkAt = checkTime(deps.checkTimes, payment);
  return { payment, versionBefore: before.version, checkAt, entries, events };
}

/** Undefined where the payment has moved on: under the lock it is told why. */
function applied(
  payment: Payment,
  change: PaymentChange,
  at: Date,
): Payment | undefined {
  try {
    return applyChange(payment, change, at);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function keyOf({ tenant, id }: PaymentKey): string {
  return `${tenant}/${id}`;
}
