import type { Executor } from "../../platform/data/executor.ts";
import { isUnsettled, type Payment } from "../domain/payment.ts";
import type { PaymentChange } from "../domain/payment-change.ts";
import {
  paymentNotFound,
  providerUnavailable,
} from "../domain/payment-refusals.ts";
import type { PaymentKey } from "../store/payments.ts";
import { recordOr } from "./record-batch.ts";
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
  /** Whether `decide` reads more than the payment, which must not change meanwhile. */
  readonly needsLock?: boolean;
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
    const { payment, isDone } = await storeRequest(deps, key, request);
    if (isDone) return payment;
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

interface StoredRequest {
  readonly payment: Payment;
  /** Whether the request has nothing left to do. */
  readonly isDone: boolean;
}

/** Stores the request, unless something else is open about the payment first. */
async function storeRequest(
  deps: SettleDeps,
  key: PaymentKey,
  request: Request,
): Promise<StoredRequest> {
  let isDone = false;
  const decide = async (current: Payment, db: Executor) => {
    isDone = false;
    if (mustSettle(current, request)) return [];
    const change = await request.decide(current, db);
    isDone = change === undefined;
    return change === undefined ? [] : [change];
  };
  const underLock = () => recordChanges(deps, key, decide);
  if (request.needsLock) return { payment: await underLock(), isDone };

  const { payment } = await deps.batches.find.submit(key);
  if (payment === undefined) throw paymentNotFound(key.id);
  const changes = await decide(payment, deps.db);
  if (changes.length === 0) return { payment, isDone };
  return { payment: await recordOr(deps, payment, changes, underLock), isDone };
}

function mustSettle(payment: Payment, request: Request): boolean {
  if (payment.pending !== undefined) return true;
  return isUnsettled(payment) && request.mayPrecedeHold !== true;
}
