import type { Transaction } from "../../platform/data/transaction.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { newPayment, type AuthorizeCommand } from "../domain/payment.ts";
import type { Payment } from "../domain/payment.ts";
import {
  findPayment,
  insertPayment,
  markChoreographed,
  type PaymentKey,
} from "../store/payments.ts";
import { fingerprintOf } from "./authorize-payment.ts";
import { checkTime } from "./check-time.ts";
import { recordChangesIn } from "./record-changes.ts";
import { settlePayment, type SettleDeps } from "./settle-payment.ts";

export interface FollowOrderDeps extends SettleDeps {
  readonly logger: Logger;
}

/**
 * Authorizes the payment of a choreographed order whose stock is reserved. What is stored with the event is the intent:
 * the provider is asked after the commit, so that its slowness holds up no other order. Should this process die in
 * between, the order asks for the same by a call when its time is over.
 */
export async function authorizeForStock(
  deps: FollowOrderDeps,
  tx: Transaction,
  command: AuthorizeCommand,
): Promise<void> {
  const payment = newPayment(
    { ...command, choreographed: true },
    fingerprintOf(command),
    deps.now(),
  );
  const checkAt = checkTime(deps.checkTimes, payment);
  // One that is there was asked for by a call, or voided before: its order knows.
  if (!(await insertPayment(tx, payment, checkAt))) return;
  await markChoreographed(tx, payment);
  tx.onCommit(() => settleLater(deps, payment, "first"));
}

/** Captures the payment of a choreographed order whose stock is sold. */
export async function captureForStock(
  deps: FollowOrderDeps,
  tx: Transaction,
  key: PaymentKey,
): Promise<void> {
  if ((await findPayment(tx, key)) === undefined) return;
  const payment = await recordChangesIn(deps, tx, key, (current) =>
    current.state === "AUTHORIZED" && current.pending === undefined
      ? [
          {
            type: "capture-requested",
            amount: current.amount?.minorUnits ?? 0n,
          },
        ]
      : [],
  );
  if (payment.pending?.kind === "capture") {
    tx.onCommit(() => settleLater(deps, payment, "again"));
  }
}

/** What stays open is found by the recovery, or by the order. */
function settleLater(
  deps: FollowOrderDeps,
  payment: Payment,
  asking: "first" | "again",
): void {
  void runDetached(() => settlePayment(deps, payment, asking)).catch(
    (error: unknown) =>
      deps.logger.warn({ err: error, payment: payment.id }, "still open"),
  );
}
