import { fullJitter } from "../../platform/data/backoff.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { InventoryClient } from "../clients/inventory.ts";
import type { PaymentClient } from "../clients/payment.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { advance, nextStep, type Outcome, type Step } from "../domain/saga.ts";
import { keepOrder, postponeOrder } from "../store/due-orders.ts";
import { findOrderById } from "../store/orders.ts";
import {
  commitOrder,
  prepareOrder,
  rollbackOrder,
  type TwoPhaseParticipants,
} from "./two-phase-commit.ts";
import { reconcileOrder } from "./reconcile-order.ts";
import { saveOrder, type SaveOrderDeps } from "./save-order.ts";
import type { Due } from "../store/update-together.ts";

export interface DriveOrderDeps extends SaveOrderDeps {
  readonly inventory: InventoryClient;
  readonly payment: PaymentClient;
  readonly twoPhase: TwoPhaseParticipants;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** How long a driver keeps an order to itself: longer than any step's call may take, its retries included (10 s). */
export const leaseMs = 12_000;

/**
 * Shorter, as what a dead coordinator has prepared holds locks until the next one comes. Two at once do no harm: their
 * epochs tell them apart.
 */
export const twoPhaseLeaseMs = 6_000;

/** How long a choreographed order waits for its next event until it is finished by calls. Its events take far less. */
export const eventDeadlineMs = 5_000;

/** How long a driver keeps this order to itself. */
export function leaseMsOf({
  coordination,
}: Pick<Order, "coordination">): number {
  return coordination === "two_phase_commit" ? twoPhaseLeaseMs : leaseMs;
}

const retryBaseMs = 250;
const retryCapMs = 10_000;
const stuckRetryMs = 60_000;

/**
 * Takes an order as far as it gets now: step by step to its end, or to a step that gets no answer, which is tried again
 * later. When `stopping` aborts it finishes the step under way and hands the order over. The caller holds the order's
 * lease. Two drivers of one order do no harm: each step is idempotent at its participant, and only one of them can store
 * what came of it; the other leaves the order to it.
 */
export async function driveOrder(
  deps: DriveOrderDeps,
  start: Order,
  stopping: AbortSignal,
): Promise<Order> {
  let order = await reconcileOrder(deps, start);
  let leasedAt = deps.now().getTime();
  for (;;) {
    const step = nextStep(order);
    if (step === undefined) {
      return order;
    }
    if (stopping.aborted) {
      // Due at once, for another process or for the next one.
      await keepOrder(deps.db, order, deps.now());
      return order;
    }
    const outcome = await take(deps, order, step);
    const next = advance(order, outcome, deps.now());
    const isToRetry = !succeeded(order, next);
    if (isToRetry) {
      logFailure(deps.logger, next, step, outcome);
    }
    const due = isToRetry ? retryAt(deps, next) : leaseOf(deps, next, leasedAt);
    const isStored =
      next.version === order.version
        ? await postponeOrder(
            deps.db,
            next,
            retryAt(deps, next),
            failureText(outcome),
          )
        : await saveOrder(deps, order, next, due);
    if (due !== "kept") leasedAt = deps.now().getTime();
    const current = isStored ? next : await takeOver(deps, order);
    if (!current || (isStored && isToRetry)) {
      return next;
    }
    order = current;
  }
}

/**
 * The order, if it is still ours to drive though somebody else has changed it: a cancellation leaves the rest to whoever
 * drives the order, another driver goes on by itself.
 */
async function takeOver(
  deps: DriveOrderDeps,
  { id, epoch }: Order,
): Promise<Order | undefined> {
  const order = await findOrderById(deps.db, id);
  if (order?.state !== "cancelling" || order.epoch !== epoch) {
    return undefined;
  }
  const dueAt = new Date(deps.now().getTime() + leaseMsOf(order));
  return (await keepOrder(deps.db, order, dueAt)) ? order : undefined;
}

/** Whether the step made anything of the order. */
function succeeded(before: Order, after: Order): boolean {
  return after.version !== before.version && after.state !== "needs_attention";
}

/** What an attempt came to, for those who look after stuck orders. */
function failureText(outcome: Outcome): string {
  const text =
    outcome.kind === "refused"
      ? `${outcome.failure.reason}: ${outcome.failure.message}`
      : outcome.kind === "unanswered"
        ? `no answer: ${outcome.cause instanceof Error ? outcome.cause.message : "unknown"}`
        : "";
  return text.replaceAll("\0", "").slice(0, 500);
}

function logFailure(
  logger: Logger,
  order: Order,
  step: Step,
  outcome: Outcome,
): void {
  const fields = { order: order.id, step, attempts: order.attempts };
  if (order.attention) {
    const { attention } = order;
    logger.error({ ...fields, attention }, "an order needs attention");
  } else if (outcome.kind === "refused") {
    // No participant may refuse this step: it is tried again, and soon people have to look.
    logger.error({ ...fields, failure: outcome.failure }, "a step is refused");
  } else if (outcome.kind === "unanswered") {
    logger.warn({ ...fields, err: outcome.cause }, "a step got no answer");
  }
}

function take(
  deps: DriveOrderDeps,
  order: Order,
  step: Step,
): Promise<Outcome> {
  switch (step) {
    case "reserve":
      return deps.inventory.reserve(order);
    case "authorize":
      return deps.payment.authorize(order);
    case "confirm":
      return deps.inventory.confirm(order);
    case "capture":
      return deps.payment.capture(order);
    case "void":
      return deps.payment.void(order);
    case "release":
      return deps.inventory.release(order);
    case "prepare":
      return prepareOrder(deps.twoPhase, order);
    case "commit":
      return commitOrder(deps.twoPhase, order);
    case "rollback":
      return rollbackOrder(deps.twoPhase, order);
  }
}

/** A lease that is young still outlasts the next step. */
function leaseOf(deps: DriveOrderDeps, order: Order, leasedAt: number): Due {
  if (isSettled(order)) return undefined;
  const now = deps.now().getTime();
  const leaseMs = leaseMsOf(order);
  return now - leasedAt < leaseMs / 6 ? "kept" : new Date(now + leaseMs);
}

function retryAt(deps: DriveOrderDeps, order: Order): Date {
  if (order.state === "needs_attention") {
    return new Date(deps.now().getTime() + stuckRetryMs);
  }
  const pauseMs = fullJitter(order.attempts, retryBaseMs, retryCapMs);
  return new Date(deps.now().getTime() + pauseMs);
}
