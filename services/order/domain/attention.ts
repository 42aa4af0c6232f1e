import { DomainError } from "../../platform/runtime/errors.ts";
import {
  isSettled,
  orderName,
  type Order,
  type OrderAttention,
  type OrderFailure,
  type OrderState,
  type Step,
} from "./order.ts";

/** After so many refusals in a row of a step that may not be refused, people have to look. */
export const refusalsUntilAttention = 5;

/** How long a step that must be done may go without an answer until people have to look, in milliseconds. */
export const unansweredUntilAttentionMs = 15 * 60_000;

/**
 * The order after an attempt that came to nothing: in `needs_attention` once that has gone on for too long. It is not
 * given up: whatever made the step fail may be mended, and then it goes on from where it stood.
 */
export function raiseAttention(
  order: Order,
  step: Step,
  refusal: OrderFailure | undefined,
  at: Date,
): Order {
  const isTooLong =
    at.getTime() - order.updatedAt.getTime() > unansweredUntilAttentionMs;
  if (refusal && order.attempts >= refusalsUntilAttention) {
    return stuck(order, stepRefused(order.state, step, refusal, at));
  }
  // More than one attempt: a process that slept through the time has not tried in it.
  return isTooLong && order.attempts > 1
    ? stuck(order, stepUnanswered(order.state, step, at))
    : order;
}

/**
 * The order on its way again, from where it stood: its step is tried at once.
 *
 * @throws DomainError ORDER_NOT_STUCK.
 */
export function resume(order: Order, at: Date): Order {
  const { attention } = requireStuck(order);
  return moved(order, attention.state, at);
}

/**
 * The ends that a person may declare for an order that is stuck in a state, having settled money and stock by hand: none
 * that its participants may contradict later. Past the pivot they take the payment as soon as they can, whatever has
 * become of the order.
 */
function endsByHand(order: Order, stuckIn: OrderState): readonly OrderState[] {
  const isOpen = mayBeSold(order, stuckIn);
  switch (stuckIn) {
    case "authorized":
      return isOpen ? ["completed"] : ["completed", "rejected"];
    case "confirmed":
      return ["completed"];
    case "rejecting":
      return isOpen ? [] : ["rejected"];
    case "cancelling":
      return isOpen ? [] : ["cancelled"];
    default:
      return [];
  }
}

/** Inventory sells the stock of a choreographed order by itself, unless it has let it go. */
function mayBeSold({ coordination, undo }: Order, stuckIn: OrderState) {
  return (
    coordination === "choreographed" &&
    (stuckIn === "authorized" || undo.includes("release"))
  );
}

/**
 * The order declared settled by a person. Nothing is called for it any more.
 *
 * @throws DomainError ORDER_NOT_STUCK, OUTCOME_NOT_ALLOWED.
 */
export function settleByHand(order: Order, end: OrderState, at: Date): Order {
  const { attention } = requireStuck(order);
  const allowed = endsByHand(order, attention.state);
  if (!allowed.includes(end)) {
    throw outcomeNotAllowed(order, attention.state, end, allowed);
  }
  const settled = moved(order, end, at);
  return { ...settled, undo: [], settledAt: at };
}

function stuck(order: Order, attention: OrderAttention): Order {
  return {
    ...order,
    state: "needs_attention",
    attention,
    version: order.version + 1n,
    updatedAt: attention.since,
  };
}

function moved(order: Order, state: OrderState, at: Date): Order {
  return {
    ...order,
    state,
    attention: undefined,
    attempts: 0,
    version: order.version + 1n,
    updatedAt: at,
  };
}

function requireStuck(order: Order): { readonly attention: OrderAttention } {
  if (order.attention === undefined || isSettled(order)) {
    throw notStuck(order, `is ${order.state}`);
  }
  return { attention: order.attention };
}

function notStuck(order: Order, fault: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "ORDER_NOT_STUCK",
    message: `${orderName(order.id)} ${fault}`,
    metadata: { order: orderName(order.id), state: order.state },
  });
}

function outcomeNotAllowed(
  { id }: Order,
  state: OrderState,
  end: OrderState,
  allowed: readonly OrderState[],
): DomainError {
  const ends =
    allowed.length > 0 ? `only ${allowed.join(" or ")}` : "nor anything yet";
  return new DomainError({
    code: "failed_precondition",
    reason: "OUTCOME_NOT_ALLOWED",
    message: `outcome: ${orderName(id)} is stuck in ${state} and can't be declared ${end}, ${ends}`,
    metadata: {
      order: orderName(id),
      state,
      field: "outcome",
      allowed: allowed.join(",").toUpperCase(),
    },
    field: "outcome",
  });
}

function stepRefused(
  state: OrderState,
  step: Step,
  refusal: OrderFailure,
  since: Date,
): OrderAttention {
  return {
    state,
    step,
    reason: "STEP_REFUSED",
    message: `${step} is refused: ${refusal.message}`,
    metadata: { reason: refusal.reason, ...refusal.metadata },
    since,
  };
}

function stepUnanswered(
  state: OrderState,
  step: Step,
  since: Date,
): OrderAttention {
  return {
    state,
    step,
    reason: "STEP_UNANSWERED",
    message: `${step} gets no answer`,
    metadata: {},
    since,
  };
}
