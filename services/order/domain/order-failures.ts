import type { Money } from "./money.ts";
import type { Order, OrderFailure, OrderState } from "./order.ts";

/** Why an order can't cost that; undefined where it can. */
export function faultOfTotal(
  { expectedTotal }: Pick<Order, "expectedTotal">,
  total: Money,
): OrderFailure | undefined {
  if (
    expectedTotal &&
    (expectedTotal.currency !== total.currency ||
      expectedTotal.minorUnits !== total.minorUnits)
  ) {
    return priceChanged(expectedTotal, total);
  }
  return total.minorUnits === 0n ? nothingToPay() : undefined;
}

/** The stock costs something else than the customer was shown. */
export function priceChanged(expected: Money, actual: Money): OrderFailure {
  return {
    reason: "PRICE_CHANGED",
    message: "the order costs something else than expected_total",
    metadata: { expected: text(expected), actual: text(actual) },
  };
}

/** One order is paid in one currency. */
export function mixedCurrencies(currencies: readonly string[]): OrderFailure {
  return {
    reason: "MIXED_CURRENCIES",
    message: "the products of one order must be priced in one currency",
    metadata: { currencies: currencies.toSorted().join(",") },
  };
}

/** A line names a product that does not exist. */
export function unknownSku(sku: string): OrderFailure {
  return {
    reason: "UNKNOWN_SKU",
    message: `there is no product ${sku}`,
    metadata: { sku },
  };
}

/** The payment provider declined. */
export function paymentDeclined(declineCode: string): OrderFailure {
  return {
    reason: "PAYMENT_DECLINED",
    message: `the payment was declined: ${declineCode}`,
    metadata: { decline_code: declineCode },
  };
}

/** A participant's refusal in the order's own terms. */
export function refusedBy(
  reason: string,
  message: string,
  metadata: Readonly<Record<string, string>>,
): OrderFailure {
  return sharedReasons.has(reason)
    ? { reason, message, metadata }
    : {
        reason: "ORDER_REFUSED",
        message,
        metadata: { ...metadata, reason },
      };
}

/** Reasons of a participant that mean the same in the order's own contract. */
const sharedReasons: ReadonlySet<string> = new Set([
  "UNKNOWN_SKU",
  "OUT_OF_STOCK",
  "MIXED_CURRENCIES",
  "RESERVATION_EXPIRED",
  "PRICE_CHANGED",
  "PAYMENT_DECLINED",
]);

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
