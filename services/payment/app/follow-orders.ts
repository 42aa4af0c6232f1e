import { context, type Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import {
  newPayment,
  type AuthorizeCommand,
  type Payment,
} from "../domain/payment.ts";
import { changePaymentsTogether } from "../store/change-together.ts";
import { insertPaymentsTogether } from "../store/insert-together.ts";
import { lockPayments, type PaymentKey } from "../store/payments.ts";
import { fingerprintOf } from "./authorize-payment.ts";
import { checkTime } from "./check-time.ts";
import type { ProviderLane } from "./provider-lane.ts";
import { applyAll } from "./record-batch.ts";
import { settlePayment, type SettleDeps } from "./settle-payment.ts";

export interface FollowOrdersDeps extends SettleDeps {
  readonly logger: Logger;
  /** For what the provider is asked: a backlog of events must not ask it everything at once. */
  readonly providerLane: ProviderLane;
}

/** What is to be done about the payment of a choreographed order, and the trace that it belongs to. */
export type PaymentWork<Command> = Command & { readonly cause: Context };

/**
 * Authorizes the payments of choreographed orders whose stock is reserved. What is stored with the events is the intent:
 * the provider is asked after the commit, so that its slowness holds up no other order. Should this process die in
 * between, the order asks for the same by a call when its time is over.
 */
export async function authorizeForStock(
  deps: FollowOrdersDeps,
  tx: Transaction,
  commands: readonly PaymentWork<AuthorizeCommand>[],
): Promise<void> {
  if (commands.length === 0) return;
  const items = commands.map((command) => {
    const payment = newPayment(
      { ...command, choreographed: true },
      fingerprintOf(command),
      deps.now(),
    );
    const checkAt = checkTime(deps.checkTimes, payment);
    return { payment, checkAt, cause: command.cause };
  });
  const added = await insertPaymentsTogether(tx, items);
  // One that is there was asked for by a call, or voided before: its order knows.
  const names = new Set(added.map(nameOf));
  const fresh = items.filter(({ payment }) => names.delete(nameOf(payment)));
  tx.onCommit(() => settleLater(deps, fresh, "first"));
}

/** Captures the payments of choreographed orders whose stock is sold. */
export async function captureForStock(
  deps: FollowOrdersDeps,
  tx: Transaction,
  keys: readonly PaymentWork<PaymentKey>[],
): Promise<void> {
  if (keys.length === 0) return;
  const causes = new Map(keys.map((key) => [nameOf(key), key.cause]));
  const found = await lockPayments(tx, keys);
  const changed = found.flatMap((payment) => requestCapture(deps, payment));
  if (changed.length > 0) await changePaymentsTogether(tx, changed);
  const requested = new Map(
    changed.map(({ payment }) => [nameOf(payment), payment]),
  );
  const open = found.flatMap((before) => {
    const payment = requested.get(nameOf(before)) ?? before;
    const cause = causes.get(nameOf(before)) ?? context.active();
    return payment.pending?.kind === "capture" ? [{ payment, cause }] : [];
  });
  tx.onCommit(() => settleLater(deps, open, "again"));
}

function requestCapture(deps: FollowOrdersDeps, payment: Payment) {
  if (payment.state !== "AUTHORIZED" || payment.pending) return [];
  const amount = payment.amount?.minorUnits ?? 0n;
  return applyAll(deps, payment, [{ type: "capture-requested", amount }]) ?? [];
}

/** A payment about which the provider is to be asked. */
interface OpenPayment {
  readonly payment: Payment;
  readonly cause: Context;
}

/**
 * What stays open is found by the recovery, or by the order. So what comes faster than the provider answers is left to
 * them, too: it is stored, its order asks for it by a call when its time is over, and no other event waits for it.
 */
function settleLater(
  deps: FollowOrdersDeps,
  payments: readonly OpenPayment[],
  asking: "first" | "again",
): void {
  const left = payments.filter(
    (each) => !deps.providerLane.take(() => settleInTrace(deps, each, asking)),
  );
  if (left.length > 0) {
    deps.logger.warn({ payments: left.length }, "left to their orders");
  }
}

async function settleInTrace(
  deps: FollowOrdersDeps,
  { payment, cause }: OpenPayment,
  asking: "first" | "again",
): Promise<void> {
  try {
    await context.with(cause, () =>
      runDetached(() => settlePayment(deps, payment, asking)),
    );
  } catch (error) {
    deps.logger.warn({ err: error, payment: payment.id }, "still open");
  }
}

function nameOf({ tenant, id }: PaymentKey): string {
  return `${tenant}/${id}`;
}
