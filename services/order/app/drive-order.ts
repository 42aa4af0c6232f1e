import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { InventoryClient } from "../clients/inventory.ts";
import type { PaymentClient } from "../clients/payment.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { advance, nextStep, type Outcome, type Step } from "../domain/saga.ts";
import { findOrderById, keepOrder, postponeOrder } from "../store/orders.ts";
import { saveOrder, type SaveOrderDeps } from "./save-order.ts";

export interface DriveOrderDeps extends SaveOrderDeps {
  readonly inventory: InventoryClient;
  readonly payment: PaymentClient;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** How long a driver keeps an order to itself: longer than any step's call may take (10 s). */
export const leaseMs = 15_000;

const retryBaseMs = 250;
const retryCapMs = 10_000;

/**
 * Takes an order as far as it gets now: step by step to its end, or to a step that gets no answer, which is tried again
 * later. When `stopping` aborts it finishes the step under way and hands the order over. The caller holds the order's
 * lease. Two drivers of one order do no harm: each step is idempotent at its
 * participant, and only one of them can store what came of it.
 */
export async function driveOrder(
  deps: DriveOrderDeps,
  start: Order,
  stopping: AbortSignal,
): Promise<Order> {
  let order = start;
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
    if (next.version === order.version) {
      await postponeOrder(deps.db, next, retryAt(deps, next));
      deps.logger.warn(
        { order: order.id, step, attempts: next.attempts },
        "a step got no answer",
      );
      return next;
    }
    const stored = await saveOrder(deps, order, next, leaseOf(deps, next));
    // Somebody else changed it, a cancellation perhaps: go on from what they made of it.
    const current = stored ? next : await findOrderById(deps.db, order.id);
    if (!current || (!stored && !(await keep(deps, current)))) {
      return current ?? order;
    }
    order = current;
  }
}

/**
 * Runs `drive` in a span of the trace that the order was placed in. A driver that took the order up later gives the
 * stored `traceparent`; without one the trace at hand goes on.
 */
export function inOrderTrace(
  order: Order,
  traceparent: string | undefined,
  drive: () => Promise<Order>,
): Promise<Order> {
  const parent = traceparent
    ? propagation.extract(ROOT_CONTEXT, { traceparent })
    : context.active();
  const options = { kind: SpanKind.INTERNAL, attributes: { order: order.id } };
  return trace
    .getTracer("weft.order")
    .startActiveSpan("settle order", options, parent, async (span) => {
      try {
        const driven = await drive();
        span.setAttribute("order.state", driven.state);
        return driven;
      } finally {
        span.end();
      }
    });
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
  }
}

async function keep(deps: DriveOrderDeps, order: Order): Promise<boolean> {
  const dueAt = leaseOf(deps, order);
  return dueAt !== undefined && keepOrder(deps.db, order, dueAt);
}

function leaseOf(deps: DriveOrderDeps, order: Order): Date | undefined {
  return isSettled(order)
    ? undefined
    : new Date(deps.now().getTime() + leaseMs);
}

/** Exponential, with full jitter. */
function retryAt(deps: DriveOrderDeps, order: Order): Date {
  const ceiling = Math.min(retryCapMs, retryBaseMs * 2 ** order.attempts);
  return new Date(deps.now().getTime() + Math.random() * ceiling);
}
