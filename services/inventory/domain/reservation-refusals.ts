import { DomainError, type ErrorCode } from "../../platform/runtime/errors.ts";
import type { Money } from "./money.ts";

export function unknownSku(sku: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "UNKNOWN_SKU",
    message: `There is no product ${sku} to reserve.`,
    metadata: { sku },
  });
}

export function mixedCurrencies(currencies: readonly string[]): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "MIXED_CURRENCIES",
    message: "The products of one reservation must be priced in one currency.",
    metadata: { currencies: currencies.toSorted().join(",") },
  });
}

export function priceChanged(
  sku: string,
  expected: Money,
  actual: Money,
): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "PRICE_CHANGED",
    message: `The product ${sku} costs something else than the caller believes.`,
    metadata: { sku, expected: text(expected), actual: text(actual) },
  });
}

/** The customer was shown another total. */
export function orderPriceChanged(expected: Money, actual: Money): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "PRICE_CHANGED",
    message: "the order costs something else than expected_total",
    metadata: { expected: text(expected), actual: text(actual) },
  });
}

export function orderWithoutPrice(order: string): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "TOTAL_IS_ZERO",
    message: "an order that costs nothing can't be paid",
    metadata: { order },
  });
}

function text(money: Money): string {
  return `${money.minorUnits} ${money.currency}`;
}

export function reservationNotFound(id: string): DomainError {
  return refusal("not_found", "RESERVATION_NOT_FOUND", id, "does not exist");
}

export function reservationExpired(id: string): DomainError {
  return refusal("failed_precondition", "RESERVATION_EXPIRED", id, "ran out");
}

export function reservationReleased(id: string): DomainError {
  return refusal(
    "failed_precondition",
    "RESERVATION_RELEASED",
    id,
    "was given back",
  );
}

export function reservationConfirmed(id: string): DomainError {
  return refusal(
    "failed_precondition",
    "RESERVATION_CONFIRMED",
    id,
    "is sold and can't be given back",
  );
}

export function reservationConflict(id: string): DomainError {
  return refusal(
    "invalid_argument",
    "RESERVATION_CONFLICT",
    id,
    "was made for another order or other lines",
  );
}

function refusal(
  code: ErrorCode,
  reason: string,
  id: string,
  fault: string,
): DomainError {
  return new DomainError({
    code,
    reason,
    message: `Reservation ${id} ${fault}.`,
    metadata: { reservation: id },
  });
}
