import type { Branch } from "../../platform/data/branch-store.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import {
  commitBranch,
  prepareBranch,
  rollbackBranch,
  settlePredecessors,
  type TwoPhaseDeps,
} from "../../platform/data/two-phase.ts";
import type { AuthorizeCommand, Payment } from "../domain/payment.ts";
import { applyChange } from "../domain/payment-change.ts";
import {
  notAuthorized,
  paymentDeclined,
  paymentNotFound,
  paymentVoided,
  providerUnavailable,
} from "../domain/payment-refusals.ts";
import { updatePayment, type PaymentKey } from "../store/payments.ts";
import { authorizePayment } from "./authorize-payment.ts";
import { checkTime } from "./check-time.ts";
import { recordChangesIn } from "./record-changes.ts";
import { settlePayment, type SettleDeps } from "./settle-payment.ts";
import { voidPayment } from "./void-payment.ts";

export interface PreparePaymentDeps extends SettleDeps, TwoPhaseDeps {}

/**
 * Prepares that a payment is taken. The provider can't prepare, so its hold stands for the vote: the payment is a row
 * before the provider is asked, as ever, and what is prepared is the request to capture. The commit makes that request
 * durable, and from then on it is asked of the provider until it is done; a rollback lets the hold go.
 *
 * @throws DomainError PAYMENT_DECLINED, PAYMENT_VOIDED, PAYMENT_CONFLICT, PROVIDER_UNAVAILABLE, and what
 * {@link prepareBranch} throws.
 */
export async function preparePayment(
  deps: PreparePaymentDeps,
  branch: Branch,
  command: AuthorizeCommand,
  signal?: AbortSignal,
): Promise<void> {
  // What they have prepared holds the payment's row.
  if (await settlePredecessors(deps, branch)) return;
  const payment = await authorizePayment(deps, command);
  requireHold(payment);
  await prepareBranch(
    deps,
    branch,
    (tx) => requestCapture(deps, tx, payment, command.amount.minorUnits),
    signal,
  );
}

/** By the payment as it was just read, which spares a lock; where it has changed since, under its lock. */
async function requestCapture(
  deps: PreparePaymentDeps,
  tx: Transaction,
  known: Payment,
  amount: bigint,
): Promise<void> {
  const request = { type: "capture-requested", amount } as const;
  if (isIdle(known)) {
    // A request moves no money and announces nothing: its row is all there is to write.
    const payment = applyChange(known, request, deps.now());
    const checkAt = checkTime(deps.checkTimes, payment);
    if (await updatePayment(tx, payment, known.version, checkAt)) return;
  }
  await recordChangesIn(deps, tx, known, (current) => {
    requireHold(current);
    if (!isIdle(current)) throw notAuthorized(current);
    return [request];
  });
}

/**
 * Commits the request to capture, and has it done.
 *
 * @throws DomainError BRANCH_NOT_PREPARED, PROVIDER_UNAVAILABLE (the request stands: again, or the recovery, goes on),
 * PAYMENT_NOT_AUTHORIZED (the provider has let the hold go).
 */
export async function commitPayment(
  deps: PreparePaymentDeps,
  branch: Branch,
  key: PaymentKey,
): Promise<void> {
  await commitBranch(deps, branch, async () => {
    const { payment } = await deps.batches.find.submit(key);
    return payment !== undefined && isTaken(payment);
  });
  const { payment } = await deps.batches.find.submit(key);
  if (payment === undefined) throw paymentNotFound(key.id);
  const settled =
    payment.pending === undefined
      ? payment
      : await settlePayment(deps, payment);
  if (!isTaken(settled)) throw notAuthorized(settled);
}

/**
 * Rolls the request to capture back and lets the hold go; keeps it where the payment is to be prepared again.
 *
 * @throws DomainError BRANCH_COMMITTED, STALE_EPOCH, BRANCH_BUSY, PAYMENT_CONFLICT, PROVIDER_UNAVAILABLE.
 */
export async function rollbackPayment(
  deps: PreparePaymentDeps,
  branch: Branch,
  key: PaymentKey,
  again: boolean,
): Promise<void> {
  await rollbackBranch(deps, branch);
  // The order's id is the payment's as well.
  if (!again) await voidPayment(deps, key, key.id);
}

/** Whether the money is taken, or asked for. */
function isTaken({ state, pending }: Payment): boolean {
  return (
    state === "CAPTURED" || state === "REFUNDED" || pending?.kind === "capture"
  );
}

/** Whether money is held and nothing is asked of the provider. */
function isIdle({ state, pending }: Payment): boolean {
  return state === "AUTHORIZED" && pending === undefined;
}

function requireHold(payment: Payment): void {
  switch (payment.state) {
    case "DECLINED":
      throw paymentDeclined(payment);
    case "VOIDED":
      throw paymentVoided(payment);
    case "AUTHORIZING":
    case "UNKNOWN":
      throw providerUnavailable(payment.id, new Error("it has not told yet"));
    case "AUTHORIZED":
    case "CAPTURED":
    case "REFUNDED":
  }
}
