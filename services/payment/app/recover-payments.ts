import { fullJitter, sleep } from "../../platform/data/backoff.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Payment } from "../domain/payment.ts";
import { reconcile } from "../domain/reconcile.ts";
import { claimDueChecks, dropCheck } from "../store/payment-checks.ts";
import { findPayment, type PaymentKey } from "../store/payments.ts";
import { isVoidedByAbsence } from "./check-time.ts";
import { finishRequest } from "./finish-request.ts";
import { recordChanges } from "./record-changes.ts";
import { settle, type SettleDeps } from "./settle-payment.ts";

export interface RecoverDeps extends SettleDeps {
  readonly logger: Logger;
  /** Between two looks for payments that are due, in milliseconds. */
  readonly intervalMs: number;
}

/** Small: each may wait for the provider, up to its timeout, twice or thrice. */
const BATCH = 10;
const MAX_CHECK_INTERVAL_MS = 10 * 60_000;
const MAX_BACKOFF_MS = 30_000;

/** Settles payments that were left open, by a crash or a silent provider, until `stop` aborts. */
export async function recoverPayments(
  deps: RecoverDeps,
  stop: AbortSignal,
): Promise<void> {
  for (let failures = 0; !stop.aborted;) {
    try {
      const checked = await recoverDuePayments(deps, stop);
      failures = 0;
      if (checked === BATCH) continue;
    } catch (error) {
      failures += 1;
      deps.logger.warn({ err: error, failures }, "recovery failed, goes on");
    }
    // Half to one and a half intervals, so that instances do not look together.
    const pause = deps.intervalMs * (0.5 + Math.random());
    const backoff =
      failures === 0
        ? 0
        : fullJitter(failures, deps.intervalMs, MAX_BACKOFF_MS);
    await sleep(pause + backoff, stop).catch(() => undefined);
  }
}

/** Checks one batch of the payments that are due. Returns how many it took. */
export async function recoverDuePayments(
  deps: RecoverDeps,
  stop?: AbortSignal,
): Promise<number> {
  const keys = await claimDueChecks(deps.db, {
    now: deps.now(),
    baseMs: deps.checkTimes.recoverAfterMs,
    capMs: MAX_CHECK_INTERVAL_MS,
    limit: BATCH,
  });
  for (const key of keys) {
    if (stop?.aborted) break;
    await recover(deps, key);
  }
  return keys.length;
}

async function recover(deps: RecoverDeps, key: PaymentKey): Promise<void> {
  const payment = await findPayment(deps.db, key);
  if (payment === undefined) return;
  const fields = { payment: payment.id, tenant: payment.tenant };
  try {
    const after =
      isVoidedByAbsence(payment) && payment.pending === undefined
        ? await lookForLateHold(deps, payment)
        : await settle(deps, payment, "never");
    if (after.version !== payment.version) {
      const { state } = after;
      deps.logger.info({ ...fields, state }, "payment recovered");
    }
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const { reason } = error;
    deps.logger.warn({ ...fields, reason }, "payment still open");
  }
}

async function lookForLateHold(
  deps: RecoverDeps,
  payment: Payment,
): Promise<Payment> {
  const found = await deps.provider.find(payment);
  if (found.kind === "answered") {
    const current = await recordChanges(deps, payment, (latest) =>
      reconcile(latest, found.intent),
    );
    return finishRequest(deps, current);
  }
  if (found.kind === "absent") await dropCheck(deps.db, payment);
  return payment;
}
