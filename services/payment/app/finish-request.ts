import type {
  IntentOutcome,
  PaymentProvider,
  Refused,
} from "../clients/provider.ts";
import type { Payment, PendingRequest } from "../domain/payment.ts";
import {
  notAuthorized,
  notCaptured,
  providerUnavailable,
} from "../domain/payment-refusals.ts";
import { reconcile } from "../domain/reconcile.ts";
import { recordKnown, type RecordBatchDeps } from "./record-batch.ts";
import { recordChanges } from "./record-changes.ts";

export interface FinishDeps extends RecordBatchDeps {
  readonly provider: PaymentProvider;
}

/**
 * Asks the provider for what is pending of a payment, with the same key as
 * every time before, and records the answer.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE when it does not tell; PAYMENT_NOT_AUTHORIZED, PAYMENT_NOT_CAPTURED when it refuses.
 */
export async function finishRequest(
  deps: FinishDeps,
  payment: Payment,
): Promise<Payment> {
  const { pending } = payment;
  switch (pending?.kind) {
    case undefined:
      return payment;
    case "capture":
      return recordOutcome(
        deps,
        payment,
        await deps.provider.capture(payment, pending.amount),
      );
    case "void":
      return recordOutcome(deps, payment, await deps.provider.cancel(payment));
    case "refund":
      return finishRefund(deps, payment, pending);
  }
}

async function recordOutcome(
  deps: FinishDeps,
  payment: Payment,
  outcome: IntentOutcome,
): Promise<Payment> {
  switch (outcome.kind) {
    case "unknown":
      throw providerUnavailable(payment.id, outcome.cause);
    case "refused":
      return learnWhy(deps, payment);
    case "answered":
      return recordKnown(deps, payment, (current) =>
        reconcile(current, outcome.intent),
      );
  }
}

/** The provider refuses where it has moved on without us, such as by letting an old hold go. */
async function learnWhy(deps: FinishDeps, payment: Payment): Promise<Payment> {
  const found = await deps.provider.find(payment);
  if (found.kind !== "answered") {
    throw providerUnavailable(
      payment.id,
      new Error("refused, and unknown why"),
    );
  }
  const learnt = await recordChanges(deps, payment, (current) => {
    const changes = reconcile(current, found.intent);
    return changes.length === 0 && isSame(current.pending, payment.pending)
      ? [{ type: "request-closed" }]
      : changes;
  });
  if (learnt.state === payment.state) throw notAuthorized(learnt);
  return learnt;
}

async function finishRefund(
  deps: FinishDeps,
  payment: Payment,
  pending: Extract<PendingRequest, { kind: "refund" }>,
): Promise<Payment> {
  const { refundId, amount } = pending;
  const outcome = await deps.provider.refund(payment, refundId, amount);
  if (outcome.kind === "unknown") {
    throw providerUnavailable(payment.id, outcome.cause);
  }
  const recorded = await recordChanges(deps, payment, (current) => {
    // Another process asked the same and recorded it first.
    if (!isSame(current.pending, pending)) return [];
    return outcome.kind === "refused"
      ? [{ type: "request-closed" }]
      : [{ type: "refunded", refundId, amount: outcome.amount }];
  });
  if (outcome.kind === "refused") throw refundRefused(recorded, outcome);
  return recorded;
}

function refundRefused(payment: Payment, { code }: Refused): Error {
  const error = notCaptured(payment);
  error.cause = new Error(`the provider refused the refund: ${code}`);
  return error;
}

function isSame(
  a: PendingRequest | undefined,
  b: PendingRequest | undefined,
): boolean {
  if (a?.kind !== b?.kind) return false;
  return (
    a?.kind !== "refund" || (b?.kind === "refund" && a.refundId === b.refundId)
  );
}
