import type { Money } from "./money.ts";
import { faultOfTotal, mixedCurrencies } from "./order-failures.ts";
import { isSettled, type Order, type OrderState } from "./order.ts";
import type { Outcome, Prices } from "./saga.ts";

/** What has to be known to prepare an order, or why it is refused before anybody is asked. */
export type Quote =
  | ({ readonly kind: "quoted" } & Prices)
  | Extract<Outcome, { kind: "refused" }>;

/** What the order costs at these prices, by SKU. */
export function quote(order: Order, prices: ReadonlyMap<string, Money>): Quote {
  const currencies = new Set(
    [...prices.values()].map((price) => price.currency),
  );
  const [currency = ""] = currencies;
  if (currencies.size !== 1) {
    return { kind: "refused", failure: mixedCurrencies([...currencies]) };
  }
  const unitPrices = new Map(
    [...prices].map(([sku, price]) => [sku, price.minorUnits]),
  );
  const minorUnits = order.lines.reduce(
    (sum, { sku, quantity }) =>
      sum + (unitPrices.get(sku) ?? 0n) * BigInt(quantity),
    0n,
  );
  const total = { currency, minorUnits };
  const failure = faultOfTotal(order, total);
  const cost = { total, unitPrices };
  return failure
    ? { kind: "refused", failure, prices: cost }
    : { kind: "quoted", ...cost };
}

/** A participant's vote: `done` is a yes. */
export type Vote = Extract<
  Outcome,
  { kind: "done" | "refused" | "unanswered" }
>;

/**
 * What the votes up to the first that is not a yes come to: one no is a no, all yes is a yes, and anything else is neither: the coordinator prepares again
 * under the next epoch, as nobody has been told to commit.
 */
export function countVotes(votes: readonly Vote[], prices: Prices): Outcome {
  const { total, unitPrices } = prices;
  const no = votes.find((vote) => vote.kind === "refused");
  if (no) return { ...no, prices: { total, unitPrices } };
  const silent = votes.find((vote) => vote.kind === "unanswered");
  return silent ?? { kind: "prepared", total, unitPrices };
}

/** What telling the decision to all came to: done when all have done it. */
export function countAnswers(answers: readonly Vote[]): Vote {
  return (
    answers.find((answer) => answer.kind === "refused") ??
    answers.find((answer) => answer.kind === "unanswered") ?? { kind: "done" }
  );
}

/** A decision to commit, as the log has it. That there is none means abort: only a commit is ever written. */
export interface Decision {
  readonly orderId: string;
  /** Of the branches that voted yes. */
  readonly epoch: bigint;
}

/**
 * What is to become of a branch that a participant has in doubt: told by the log, and by nothing else. While an order is
 * neither decided nor over, its coordinator, or the one that takes it over, is at it.
 */
export function resolutionOf(
  branch: { readonly epoch: bigint },
  order: Order | undefined,
  decision: Decision | undefined,
): "commit" | "rollback" | "leave" {
  if (decision) {
    return decision.epoch === branch.epoch ? "commit" : "leave";
  }
  return order === undefined || isSettled(order) ? "rollback" : "leave";
}

/**
 * What is known to be decided of an order, for those who look at what is in doubt: as {@link resolutionOf}, but for an
 * order on its way back, which gets no decision any more. `state` is the one it stands in, or is stuck in.
 */
export function decidedOf(
  state: OrderState | undefined,
  decision: Decision | undefined,
): "undecided" | "commit" | "rollback" {
  if (decision) return "commit";
  switch (state) {
    case "placed":
    case "reserved":
    case "authorized":
    case "confirmed":
    case "needs_attention":
      return "undecided";
    case "completed":
    case "rejecting":
    case "rejected":
    case "cancelling":
    case "cancelled":
    case undefined:
      return "rollback";
  }
}
