import type { Money } from "./money.ts";
import type { OrderFailure, OrderState } from "./order.ts";

/** The stock costs something else than the customer was shown. */
export function priceChanged(expected: Money, actual: Money): OrderFailure {
  return {
    reason: "PRICE_CHANGED",
    message: "the order costs something else than expected_total",
    metadata: { expected: text(expected), actual: text(actual) },
  };
}

/** No payment can be made of nothing. */
export function nothingToPay(): OrderFailure {
  return {
    reason: "ORDER_REFUSED",
    message: "an order that costs nothing can't be paid",
    metadata: { reason: "TOTAL_IS_ZERO" },
  };
}

/** What the order needs in this state did not answer for too long. */
export function timedOut(state: OrderState): OrderFailure {
  return {
    reason: "ORDER_TIMED_OUT",
    message: "the order could not be confirmed in time",
    metadata: { state },
  };
}

function text(money: Money): string {
  return `${money.minorUnits} ${money.currency}`;
}
