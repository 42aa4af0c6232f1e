import type { Transaction } from "../../platform/data/transaction.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Money } from "../domain/money.ts";
import {
  confirm,
  hold,
  release,
  releasedBeforeMade,
  repeatOf,
  type Reservation,
  type ReserveCommand,
} from "../domain/reservation.ts";
import {
  orderPriceChanged,
  orderWithoutPrice,
  reservationNotFound,
} from "../domain/reservation-refusals.ts";
import { outOfStock } from "../domain/stock.ts";
import { findPrices } from "../store/products.ts";
import { insertRefusal } from "../store/refusals.ts";
import {
  insertReservation,
  lockReservation,
  saveReservationStates,
} from "../store/reservations.ts";
import { giveBackStock, sellStock, takeStock } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { unitsOf } from "./units-of.ts";

export interface FollowOrderDeps {
  readonly announce: Announce;
  readonly now: () => Date;
}

/** A choreographed order as it was placed. */
export interface PlacedOrder extends ReserveCommand {
  /** What its customer was shown, if that has to be its price. */
  readonly expectedTotal: Money | undefined;
  readonly sealedPaymentToken: Uint8Array;
}

/** Reserves the stock of a choreographed order, and tells Payment; or refuses, and tells the order. */
export async function reserveForOrder(
  deps: FollowOrderDeps,
  tx: Transaction,
  placed: PlacedOrder,
): Promise<void> {
  const { tenant, order, sealedPaymentToken } = placed;
  const existing = await lockReservation(tx, tenant, placed.id);
  // What was held once may have been paid for.
  const { id } = placed;
  const isAuthorized = existing !== undefined;
  const about = { tenant, id, order, isAuthorized };
  await refusing(deps, tx, about, async () => {
    const reservation =
      existing === undefined
        ? await holdFor(deps, tx, placed)
        : repeatOf(existing, placed);
    // Held by a call: the order compares what it costs, and gives it back.
    if (!costs(reservation, placed.expectedTotal)) return;
    await deps.announce(tx, {
      type: "StockReserved",
      reservation,
      choreographed: true,
      sealedPaymentToken,
    });
  });
}

/** Sells the stock of a choreographed order whose payment is authorized: its point of no return. */
export async function confirmForPayment(
  deps: FollowOrderDeps,
  tx: Transaction,
  { tenant, orderId }: { readonly tenant: string; readonly orderId: string },
): Promise<void> {
  const order = `orders/${orderId}`;
  const about = { tenant, id: orderId, order, isAuthorized: true };
  await refusing(deps, tx, about, async () => {
    const at = deps.now();
    const current =
      (await lockReservation(tx, tenant, orderId)) ??
      (await bar(tx, { tenant, id: orderId, order }, at));
    const reservation = confirm(current, at);
    if (reservation === current) return;
    await saveReservationStates(tx, [reservation]);
    await deps.announce(tx, {
      type: "StockConfirmed",
      reservation,
      choreographed: true,
    });
    await sellStock(tx, unitsOf([reservation]), at);
  });
}

/** Gives the stock of a choreographed order back whose payment was declined. */
export async function releaseForPayment(
  deps: FollowOrderDeps,
  tx: Transaction,
  { tenant, orderId }: { readonly tenant: string; readonly orderId: string },
): Promise<void> {
  const current = await lockReservation(tx, tenant, orderId);
  // It was confirmed for a payment that was declined: nobody asks for that, and it would not be given back.
  if (current === undefined || current.state === "confirmed") return;
  const at = deps.now();
  const reservation = release(current, `orders/${orderId}`, at);
  if (reservation === current) return;
  await saveReservationStates(tx, [reservation]);
  await deps.announce(tx, {
    type: "StockReleased",
    reservation,
    choreographed: true,
  });
  await giveBackStock(tx, unitsOf([reservation]), at);
}

/** @throws DomainError why it can't be held: then the transaction holds nothing, and whoever is late is refused as well. */
async function holdFor(
  deps: FollowOrderDeps,
  tx: Transaction,
  placed: PlacedOrder,
): Promise<Reservation> {
  const { tenant, id } = placed;
  const skus = placed.lines.map(({ sku }) => sku);
  const prices = await findPrices(tx, tenant, skus);
  const reservation = await barring(tx, placed, deps.now(), () =>
    holdAtPrice(placed, prices, deps.now()),
  );
  if (!(await insertReservation(tx, reservation))) {
    const existing = await lockReservation(tx, tenant, id);
    if (existing === undefined) throw reservationNotFound(id);
    return repeatOf(existing, placed);
  }
  const units = unitsOf([reservation]);
  const [short] = await takeStock(tx, units, reservation.createdAt);
  if (short === undefined) return reservation;
  await saveReservationStates(tx, [{ ...reservation, state: "released" }]);
  throw outOfStock(short);
}

/**
 * Leaves a mark where `make` refuses, or else the order's own call could hold what nobody gives back. One that such a call
 * has made meanwhile goes before the refusal.
 */
async function barring(
  tx: Transaction,
  { tenant, id, order }: PlacedOrder,
  at: Date,
  make: () => Reservation,
): Promise<Reservation> {
  try {
    return make();
  } catch (error) {
    const found = await bar(tx, { tenant, id, order }, at);
    if (found.state === "released") throw error;
    return found;
  }
}

/** The mark of a reservation that is never to be made; or the reservation of a call that came first after all. */
async function bar(
  tx: Transaction,
  identity: Pick<Reservation, "tenant" | "id" | "order">,
  at: Date,
): Promise<Reservation> {
  const mark = releasedBeforeMade(identity, at);
  if (await insertReservation(tx, mark)) return mark;
  const made = await lockReservation(tx, identity.tenant, identity.id);
  if (made === undefined) throw reservationNotFound(identity.id);
  return made;
}

function costs(
  { total }: Pick<Reservation, "total">,
  expected: Money | undefined,
): boolean {
  return (
    expected === undefined ||
    (expected.currency === total?.currency &&
      expected.minorUnits === total.minorUnits)
  );
}

/**
 * The reservation of a placed order, at the price that its customer was shown.
 *
 * @throws DomainError UNKNOWN_SKU, MIXED_CURRENCIES, or that the price has changed or is none.
 */
export function holdAtPrice(
  placed: PlacedOrder,
  prices: ReadonlyMap<string, Money>,
  at: Date,
): Reservation {
  const held = hold(placed, prices, at);
  requireTotal(held, placed.expectedTotal);
  return held;
}

function requireTotal(
  { total, order }: Reservation,
  expected: Money | undefined,
): void {
  if (total === undefined || total.minorUnits === 0n) {
    throw orderWithoutPrice(order);
  }
  if (expected && !costs({ total }, expected)) {
    throw orderPriceChanged(expected, total);
  }
}

/** Runs `work`; a refusal is kept and announced rather than thrown, for the event was handled. */
async function refusing(
  deps: FollowOrderDeps,
  tx: Transaction,
  {
    id,
    ...about
  }: {
    readonly tenant: string;
    readonly id: string;
    readonly order: string;
    readonly isAuthorized: boolean;
  },
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError) || !refusals.has(error.code)) {
      throw error;
    }
    await insertRefusal(tx, { tenant: about.tenant, id }, error);
    const { reason, message, metadata } = error;
    await deps.announce(tx, {
      ...about,
      type: "StockRefused",
      reason,
      message,
      metadata,
      at: deps.now(),
    });
  }
}

const refusals: ReadonlySet<string> = new Set([
  "failed_precondition",
  "invalid_argument",
  "not_found",
]);
