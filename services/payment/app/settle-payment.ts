import type { PaymentProvider } from "../clients/provider.ts";
import { isUnsettled, type Payment } from "../domain/payment.ts";
import { providerUnavailable } from "../domain/payment-refusals.ts";
import { reconcile, type ProviderIntent } from "../domain/reconcile.ts";
import { finishRequest } from "./finish-request.ts";
import type { Flights } from "./flights.ts";
import { recordKnown, type RecordBatchDeps } from "./record-batch.ts";
import { recordChanges } from "./record-changes.ts";

export interface SettleDeps extends RecordBatchDeps {
  readonly provider: PaymentProvider;
  readonly flights: Flights<Payment>;
  /**
   * How long the provider may take to do what it was asked for. A hold that it
   * does not know of so long after the last request was never made.
   */
  readonly absenceMs: number;
}

/**
 * Whether the provider may be asked for the hold: `first` without looking for
 * it, `again` if it knows nothing of it, or `never`.
 */
export type Asking = "first" | "again" | "never";

/**
 * Finds out what is open about a payment, at the provider: whether money is
 * held, and then the request that is pending. It holds no transaction while it
 * waits, and goes on when its caller has gone, so that an answer is not lost.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE when the provider does not tell.
 */
export function settlePayment(
  deps: SettleDeps,
  payment: Payment,
  asking: "first" | "again" = "again",
): Promise<Payment> {
  return deps.flights.share(`${payment.tenant}/${payment.id}`, () =>
    settle(deps, payment, asking),
  );
}

/** As {@link settlePayment}, alone: for the recovery, which may not ask for a hold. */
export async function settle(
  deps: SettleDeps,
  payment: Payment,
  asking: Asking,
): Promise<Payment> {
  const settled = isUnsettled(payment)
    ? await settleHold(deps, payment, asking)
    : payment;
  return settled.pending === undefined || isUnsettled(settled)
    ? settled
    : finishRequest(deps, settled);
}

async function settleHold(
  deps: SettleDeps,
  payment: Payment,
  asking: Asking,
): Promise<Payment> {
  if (asking === "first") return askForHold(deps, payment);
  const found = await deps.provider.find(payment);
  if (found.kind === "answered") {
    return recordIntent(deps, payment, found.intent);
  }
  if (found.kind !== "absent") return unanswered(deps, payment, found);
  if (payment.pending?.kind === "void") return voidAbsent(deps, payment);
  if (asking === "never") {
    return recordChanges(deps, payment, (current) =>
      current.state === "AUTHORIZING" ? [{ type: "unanswered" }] : [],
    );
  }
  return askAgain(deps, payment);
}

/**
 * The provider knows nothing of the hold that is to be let go. The same request
 * once more tells at once, unless the provider is still silent; after that only
 * time tells, for each further request could make the hold just then.
 */
async function voidAbsent(
  deps: SettleDeps,
  payment: Payment,
): Promise<Payment> {
  const since = payment.pending?.since ?? payment.updatedAt;
  if (payment.askedAt < since) return askAgain(deps, payment);
  const current = await recordChanges(deps, payment, (latest) => {
    const absentMs = deps.now().getTime() - latest.askedAt.getTime();
    return isUnsettled(latest) && absentMs >= deps.absenceMs
      ? [{ type: "voided" }]
      : [];
  });
  if (!isUnsettled(current)) return current;
  const cause = new Error("the provider knows nothing of it, yet");
  throw providerUnavailable(payment.id, cause);
}

async function askAgain(deps: SettleDeps, payment: Payment): Promise<Payment> {
  let asks = false;
  const current = await recordChanges(deps, payment, (latest) => {
    asks =
      isUnsettled(latest) && latest.pending?.kind === payment.pending?.kind;
    return asks ? [{ type: "asked" }] : [];
  });
  if (asks) return askForHold(deps, current);
  // A void that came between decides anew whether to ask.
  return isUnsettled(current) ? settleHold(deps, current, "again") : current;
}

async function askForHold(
  deps: SettleDeps,
  payment: Payment,
): Promise<Payment> {
  const outcome = await deps.provider.authorize(payment);
  return outcome.kind === "answered"
    ? recordIntent(deps, payment, outcome.intent)
    : unanswered(deps, payment, outcome);
}

async function unanswered(
  deps: SettleDeps,
  payment: Payment,
  outcome: { readonly kind: string; readonly cause?: unknown },
): Promise<never> {
  await recordChanges(deps, payment, (current) =>
    current.state === "AUTHORIZING" ? [{ type: "unanswered" }] : [],
  );
  throw providerUnavailable(payment.id, outcome.cause);
}

function recordIntent(
  deps: SettleDeps,
  payment: Payment,
  intent: ProviderIntent,
): Promise<Payment> {
  return recordKnown(deps, payment, (current) => reconcile(current, intent));
}
