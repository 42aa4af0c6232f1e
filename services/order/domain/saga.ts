import { raiseAttention } from "./attention.ts";
import type { Money } from "./money.ts";
import { faultOfTotal, timedOut } from "./order-failures.ts";
import {
  isSettled,
  type Order,
  type OrderFailure,
  type OrderState,
  type Step,
  type Undo,
} from "./order.ts";

/**
 * The orchestrated saga of an order, as pure functions: {@link nextStep} says what to call, {@link advance} what its
 * outcome makes of the order. Between the two lies exactly one call.
 *
 * The order's state is the durable intent: PLACED means that Reserve may have run, RESERVED that Authorize may have, and
 * so on. So whoever takes over a half-done order makes the same call again (every participant knows it by the order's
 * id), and giving up gives back whatever may have been taken: giving back what was never taken does nothing, and bars it
 * from being taken late. The pivot is `confirm`; after it there is no way back.
 *
 * An order of two-phase commit has the same states and fewer steps: `prepare` asks both participants for their votes, and
 * the state CONFIRMED, stored together with the decision, is what both are then told.
 */
export type { Step };

/** What an order costs. */
export interface Prices {
  readonly total: Money;
  /** By SKU, in minor units of the total's currency. */
  readonly unitPrices: ReadonlyMap<string, bigint>;
}

/** What a step's call came to. */
export type Outcome =
  | { readonly kind: "done" }
  | ({ readonly kind: "reserved" } & Prices)
  /** Every participant has voted yes. */
  | ({ readonly kind: "prepared" } & Prices)
  /**
   * The participant refused for good. `undo` is what to give back, where less than all that the order may hold; `prices`
   * what it would have cost, where that is known.
   */
  | {
      readonly kind: "refused";
      readonly failure: OrderFailure;
      readonly undo?: readonly Undo[];
      readonly prices?: Prices;
    }
  /** No answer: it may have happened. `cause` is for the log. */
  | { readonly kind: "unanswered"; readonly cause?: unknown };

/** How long an order may try to get confirmed, in milliseconds. Far below the 15 minutes that a reservation lives. */
export const confirmWithinMs = 120_000;

/** The call that an order needs next; undefined when it is settled. */
export function nextStep(order: Order): Step | undefined {
  switch (order.state) {
    case "placed":
      return isTwoPhase(order) ? "prepare" : "reserve";
    case "reserved":
      return "authorize";
    case "authorized":
      return "confirm";
    case "confirmed":
      if (!isPriced(order)) return "reserve";
      return isTwoPhase(order) ? "commit" : "capture";
    case "rejecting":
    case "cancelling":
      return order.undo[0];
    case "completed":
    case "rejected":
    case "cancelled":
      return undefined;
    case "needs_attention":
      return nextStep(unstuck(order));
  }
}

/**
 * What the outcome of its {@link nextStep} makes of an order. Where the version stays the same nothing has happened to
 * the order, and the step is to be tried again later.
 */
export function advance(order: Order, outcome: Outcome, at: Date): Order {
  const before = unstuck(order);
  const after = advanceStep(before, outcome, at);
  const step = nextStep(before);
  if (after.version !== before.version || step === undefined) {
    return after;
  }
  const { state, attention } = order;
  if (attention) {
    return { ...after, state, attention };
  }
  const refusal = outcome.kind === "refused" ? outcome.failure : undefined;
  return raiseAttention(after, step, refusal, at);
}

/** The order as it stood before it needed attention: that is where it goes on. */
function unstuck(order: Order): Order {
  const { attention } = order;
  return attention
    ? { ...order, state: attention.state, attention: undefined }
    : order;
}

function advanceStep(order: Order, outcome: Outcome, at: Date): Order {
  if (outcome.kind === "unanswered") {
    return unanswered(order, at);
  }
  if (outcome.kind === "refused" && isSoldAfterAll(order, outcome)) {
    return change(
      order,
      { state: "confirmed", undo: [], failure: undefined },
      at,
    );
  }
  if (outcome.kind === "refused") {
    // Past the pivot, and on the way back, no participant may refuse: the step is tried again, and soon people look.
    if (!isBeforePivot(order.state)) return unanswered(order, at);
    const priced = outcome.prices ? withPrices(order, outcome.prices) : order;
    const undo = outcome.undo ?? mayHold(order);
    return reject(priced, outcome.failure, undo, at);
  }
  if (outcome.kind === "reserved" && order.state !== "placed") {
    return change(withPrices(order, outcome), {}, at);
  }
  switch (order.state) {
    case "placed":
      return isTwoPhase(order)
        ? decided(order, outcome, at)
        : reserved(order, outcome, at);
    case "reserved":
      return change(
        order,
        { state: "authorized", paymentToken: undefined },
        at,
      );
    case "authorized":
      return change(order, { state: "confirmed" }, at);
    case "confirmed":
      return change(order, { state: "completed" }, at);
    case "rejecting":
    case "cancelling":
      return undone(order, at);
    case "completed":
    case "rejected":
    case "cancelled":
    case "needs_attention":
      throw new Error(`order ${order.id} is ${order.state} and takes no step`);
  }
}

/** Gives up an order that is not past its pivot: what it may hold is given back, the last taken first. */
export function cancel(order: Order, at: Date): Order {
  return undoing(order, "cancelling", mayHold(order), at);
}

function isBeforePivot(state: OrderState): boolean {
  return state === "placed" || state === "reserved" || state === "authorized";
}

/** What may be taken for an order while its next step is under way. */
function mayHold(order: Order): readonly Undo[] {
  if (isTwoPhase(order)) return ["rollback"];
  if (order.coordination === "choreographed") {
    // Others may have taken it further than its own service knows.
    return isBeforePivot(order.state) ? ["release", "void"] : [];
  }
  switch (order.state) {
    case "placed":
      return ["release"];
    case "reserved":
    case "authorized":
      return ["void", "release"];
    case "confirmed":
    case "completed":
    case "rejecting":
    case "rejected":
    case "cancelling":
    case "cancelled":
    case "needs_attention":
      return [];
  }
}

function reserved(order: Order, outcome: Outcome, at: Date): Order {
  if (outcome.kind !== "reserved") {
    throw new Error(`order ${order.id} was reserved without a price`);
  }
  const priced = withPrices(order, outcome);
  const fault = faultOfTotal(order, outcome.total);
  return fault
    ? reject(priced, fault, ["release"], at)
    : change(priced, { state: "reserved" }, at);
}

/** All votes are yes: what is stored next is the decision. */
function decided(order: Order, outcome: Outcome, at: Date): Order {
  if (outcome.kind !== "prepared") {
    throw new Error(`order ${order.id} was prepared without a price`);
  }
  const priced = withPrices(order, outcome);
  return change(priced, { state: "confirmed", paymentToken: undefined }, at);
}

/** The order with what its lines cost. */
export function withPrices(order: Order, { total, unitPrices }: Prices): Order {
  return {
    ...order,
    total,
    lines: order.lines.map((line) => {
      const unitPrice = unitPrices.get(line.sku);
      return unitPrice === undefined ? line : { ...line, unitPrice };
    }),
  };
}

/**
 * A choreographed order that is given up asks for its stock first: Inventory may have sold it meanwhile, and then it is
 * past its pivot.
 */
function isSoldAfterAll(
  { coordination, undo }: Order,
  { failure }: Extract<Outcome, { kind: "refused" }>,
): boolean {
  return (
    coordination === "choreographed" &&
    undo[0] === "release" &&
    failure.metadata["reason"] === "RESERVATION_CONFIRMED"
  );
}

/**
 * The news of a choreographed order's payment may pass those of its stock: then Reserve, again, tells what it costs
 * before it goes on.
 */
function isPriced({ coordination, total }: Order): boolean {
  return coordination !== "choreographed" || total !== undefined;
}

function isTwoPhase({ coordination }: Order): boolean {
  return coordination === "two_phase_commit";
}

function unanswered(order: Order, at: Date): Order {
  const late = at.getTime() - order.createdAt.getTime() > confirmWithinMs;
  const canGiveUp = order.state === "placed" || order.state === "reserved";
  if (late && canGiveUp) {
    return reject(order, timedOut(order.state), mayHold(order), at);
  }
  if (order.coordination === "choreographed") {
    // Whether its stock is sold has to be known before its payment is let go.
    return { ...order, attempts: order.attempts + 1 };
  }
  // One that can't be given back now must not keep the others from it.
  const [failed, ...others] = order.undo;
  const undo = failed === undefined ? order.undo : [...others, failed];
  return { ...order, undo, attempts: order.attempts + 1 };
}

function undone(order: Order, at: Date): Order {
  const left = order.undo.slice(1);
  const end = order.state === "rejecting" ? "rejected" : "cancelled";
  return left.length > 0
    ? change(order, { undo: left }, at)
    : change(order, { undo: left, state: end }, at);
}

function reject(
  order: Order,
  failure: OrderFailure,
  undo: readonly Undo[],
  at: Date,
): Order {
  return undoing({ ...order, failure }, "rejecting", undo, at);
}

function undoing(
  order: Order,
  state: "rejecting" | "cancelling",
  undo: readonly Undo[],
  at: Date,
): Order {
  return change(order, { state, undo, paymentToken: undefined }, at);
}

/** The moves that a choreographed order makes as well. */
export const sagaMoves = {
  change,
  reject(
    order: Order,
    failure: OrderFailure,
    undo: readonly Undo[],
    at: Date,
  ): Order {
    if (undo.length > 0) return reject(order, failure, undo, at);
    const ends = { state: "rejected", undo, paymentToken: undefined } as const;
    return change({ ...order, failure }, ends, at);
  },
  /** One thing is given back, by whomever. */
  undo(order: Order, done: Undo, at: Date): Order {
    const rest = order.undo.filter((each) => each !== done);
    return undone({ ...unstuck(order), undo: [done, ...rest] }, at);
  },
};

function change(order: Order, changes: Partial<Order>, at: Date): Order {
  const changed: Order = {
    ...order,
    ...changes,
    attempts: 0,
    version: order.version + 1n,
    updatedAt: at,
  };
  return isSettled(changed) ? { ...changed, settledAt: at } : changed;
}
