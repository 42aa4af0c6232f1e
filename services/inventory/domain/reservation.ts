import type { Money } from "./money.ts";
import {
  mixedCurrencies,
  priceChanged,
  reservationConfirmed,
  reservationConflict,
  reservationExpired,
  reservationReleased,
  unknownSku,
} from "./reservation-refusals.ts";

/** held -> confirmed, or held -> released | expired. */
export type ReservationState = "held" | "confirmed" | "released" | "expired";

export interface ReservationLine {
  readonly sku: string;
  readonly quantity: number;
  /** What one unit cost when it was reserved. */
  readonly unitPrice: Money;
}

export interface Reservation {
  readonly tenant: string;
  readonly id: string;
  /** The order it is for, `orders/{order}`. */
  readonly order: string;
  /** By SKU. None in a reservation that was released before it was made. */
  readonly lines: readonly ReservationLine[];
  readonly total?: Money;
  readonly state: ReservationState;
  /** None where it never runs out: a two-phase commit has promised it. */
  readonly expiresAt?: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface WantedLine {
  readonly sku: string;
  readonly quantity: number;
}

/** How long a reservation lasts that names no end, as the contract of Reserve promises. */
export const DEFAULT_TTL_MS = 15 * 60_000;

/** What the caller of Reserve says. Each SKU stands in one line only. */
export interface ReserveCommand {
  readonly tenant: string;
  readonly id: string;
  readonly order: string;
  readonly lines: readonly WantedLine[];
  readonly ttlMs: number;
}

/**
 * A held reservation at the prices of this moment, its lines by SKU.
 *
 * @throws DomainError UNKNOWN_SKU, MIXED_CURRENCIES.
 */
export function hold(
  command: ReserveCommand,
  prices: ReadonlyMap<string, Money>,
  at: Date,
): Reservation {
  const { ttlMs, ...identity } = command;
  const lines = command.lines.toSorted(bySku).map((line) => {
    const unitPrice = prices.get(line.sku);
    if (unitPrice === undefined) throw unknownSku(line.sku);
    return { sku: line.sku, quantity: line.quantity, unitPrice };
  });
  return {
    ...identity,
    lines,
    total: totalOf(lines),
    state: "held",
    expiresAt: new Date(at.getTime() + ttlMs),
    createdAt: at,
    updatedAt: at,
  };
}

/** A line of a sale at a price that the caller knows. */
export interface PricedLine extends WantedLine {
  readonly unitPrice: Money;
}

/**
 * That the lines still cost what their caller believes.
 *
 * @throws DomainError UNKNOWN_SKU, PRICE_CHANGED.
 */
export function requirePrices(
  lines: readonly PricedLine[],
  priceOf: (sku: string) => Money | undefined,
): void {
  for (const { sku, unitPrice } of lines) {
    const actual = priceOf(sku);
    if (actual === undefined) throw unknownSku(sku);
    if (
      actual.currency !== unitPrice.currency ||
      actual.minorUnits !== unitPrice.minorUnits
    ) {
      throw priceChanged(sku, unitPrice, actual);
    }
  }
}

/**
 * What a Reserve that names an existing reservation gets: that reservation, while it can still serve its order.
 *
 * @throws DomainError RESERVATION_CONFLICT, RESERVATION_RELEASED, RESERVATION_EXPIRED.
 */
export function repeatOf(
  existing: Reservation,
  command: ReserveCommand,
): Reservation {
  if (existing.order !== command.order) throw reservationConflict(existing.id);
  // Told before the lines are compared: a mark left by an early Release has none.
  if (existing.state === "released") throw reservationReleased(existing.id);
  if (!hasLines(existing, command.lines))
    throw reservationConflict(existing.id);
  if (existing.state === "expired") throw reservationExpired(existing.id);
  return existing;
}

/**
 * The reservation sold; the same object if it is sold already.
 *
 * @throws DomainError RESERVATION_EXPIRED also when its time is over and nobody has swept it yet, RESERVATION_RELEASED.
 */
export function confirm(current: Reservation, at: Date): Reservation {
  switch (current.state) {
    case "confirmed":
      return current;
    case "released":
      throw reservationReleased(current.id);
    case "expired":
      throw reservationExpired(current.id);
    case "held":
      if (isOverdue(current, at)) throw reservationExpired(current.id);
      return { ...current, state: "confirmed", updatedAt: at };
  }
}

/**
 * The reservation given back; the same object if its units are back already.
 *
 * @throws DomainError RESERVATION_CONFLICT when it is of another order, RESERVATION_CONFIRMED.
 */
export function release(
  current: Reservation,
  order: string,
  at: Date,
): Reservation {
  if (current.order !== order) throw reservationConflict(current.id);
  switch (current.state) {
    case "released":
    case "expired":
      return current;
    case "confirmed":
      throw reservationConfirmed(current.id);
    case "held":
      return { ...current, state: "released", updatedAt: at };
  }
}

/** The mark that a Release leaves of a reservation that was never made. It refuses the Reserve that comes late. */
export function releasedBeforeMade(
  identity: Pick<Reservation, "tenant" | "id" | "order">,
  at: Date,
): Reservation {
  return {
    ...identity,
    lines: [],
    state: "released",
    createdAt: at,
    updatedAt: at,
  };
}

/** The reservation given back because its time is over; the same object if there is nothing to give back yet or any more. */
export function expire(current: Reservation, at: Date): Reservation {
  if (current.state !== "held" || !isOverdue(current, at)) return current;
  return { ...current, state: "expired", updatedAt: at };
}

/** Whether the branch of a two-phase commit has kept it for good: it is sold, or never runs out until it is. */
export function isKept({ state, expiresAt }: Reservation): boolean {
  return state === "confirmed" || (state === "held" && expiresAt === undefined);
}

function isOverdue(reservation: Reservation, at: Date): boolean {
  return reservation.expiresAt !== undefined && reservation.expiresAt <= at;
}

function totalOf(lines: readonly ReservationLine[]): Money {
  const currencies = [...new Set(lines.map((line) => line.unitPrice.currency))];
  const [currency] = currencies;
  if (currency === undefined || currencies.length > 1) {
    throw mixedCurrencies(currencies);
  }
  const minorUnits = lines.reduce(
    (sum, line) => sum + line.unitPrice.minorUnits * BigInt(line.quantity),
    0n,
  );
  return { currency, minorUnits };
}

function hasLines(
  existing: Reservation,
  wanted: readonly WantedLine[],
): boolean {
  const held = new Map(
    existing.lines.map(({ sku, quantity }) => [sku, quantity]),
  );
  return (
    held.size === wanted.length &&
    wanted.every(({ sku, quantity }) => held.get(sku) === quantity)
  );
}

function bySku(a: WantedLine, b: WantedLine): number {
  return a.sku < b.sku ? -1 : 1;
}
