import type { Executor } from "../../platform/data/executor.ts";
import { isUnsettled, type Payment } from "../domain/payment.ts";
import type { PaymentChange } from "../domain/payment-change.ts";
import { providerUnavailable } from "../domain/payment-refusals.ts";
import type { PaymentKey } from "../store/payments.ts";
import { recordChanges } from "./record-changes.ts";
import { settlePayment, type SettleDeps } from "./settle-payment.ts";

export interface Request {
  /** The request that is to become pending; undefined once there is nothing (more) to do. */
  readonly decide: (
    payment: Payment,
    db: Executor,
  ) => Promise<PaymentChange | undefined> | PaymentChange | undefined;
  /** Whether it may be requested before it is known that money is held. */
  readonly mayPrecedeHold?: boolean;
}

/** One for what was pending, one for our own, and a few for those that get between. */
const MAX_ROUNDS = 6;

/**
 * Finishes what is open about a payment, stores the request, and has it done by
 * the provider, until the request has nothing left to do. As the request is
 * stored before the provider is asked, a crash in between loses nothing.
 *
 * @throws DomainError what `decide` throws, PAYMENT_NOT_FOUND, PROVIDER_UNAVAILABLE.
 */
export async function carryOut(
  deps: SettleDeps,
  key: PaymentKey,
  request: Request,
): Promise<Payment> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let done = false;
    const payment = await recordChanges(deps, key, async (current, tx) => {
      done = false;
      if (mustSettle(current, request)) return [];
      const change = await request.decide(current, tx);
      done = change === undefined;
      return change === undefined ? [] : [change];
    });
    if (done) return payment;
    const settled = await settlePayment(deps, payment);
    // Spares the usual case one more transaction.
    if (mustSettle(settled, request)) continue;
    if ((await request.decide(settled, deps.db)) === undefined) return settled;
  }
  throw providerUnavailable(
    key.id,
    new Error(`still open after ${MAX_ROUNDS} rounds`),
  );
}

function mustSettle(payment: Payment, request: Request): boolean {
  if (payment.pending !== undefined) return true;
  return isUnsettled(payment) && request.mayPrecedeHold !== true;
}
