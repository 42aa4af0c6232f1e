import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { reservationNotFound } from "../domain/reservation-refusals.ts";
import {
  hold,
  repeatOf,
  type Reservation,
  type ReserveCommand,
} from "../domain/reservation.ts";
import { outOfStock } from "../domain/stock.ts";
import { findPrices } from "../store/products.ts";
import { findRefusal } from "../store/refusals.ts";
import { findReservation, insertReservation } from "../store/reservations.ts";
import { takeStock } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { unitsOf } from "./units-of.ts";

export interface ReserveDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
}

/**
 * Holds stock for an order: every line, or none. The same id again returns the reservation that exists.
 *
 * In a transaction of its own, for what `reserve-batch.ts` does not do in a batch: repeats, shortages, refusals.
 *
 * @throws DomainError UNKNOWN_SKU, OUT_OF_STOCK, MIXED_CURRENCIES, RESERVATION_RELEASED, RESERVATION_EXPIRED,
 * RESERVATION_CONFLICT; or why an event was refused the same.
 */
export function reserve(
  deps: ReserveDeps,
  command: ReserveCommand,
  signal?: AbortSignal,
): Promise<Reservation> {
  return deps.db.transaction(async (tx) => {
    // Looked for first: an insert would wait for what a two-phase commit has prepared of it, as long as that is in doubt.
    const existing = await existingReservation(tx, command);
    if (existing) return existing;
    const skus = command.lines.map((line) => line.sku);
    const prices = await findPrices(tx, command.tenant, skus);
    const reservation = hold(command, prices, deps.now());
    if (!(await insertReservation(tx, reservation))) {
      return requireExisting(tx, command);
    }
    await deps.announce(tx, { type: "StockReserved", reservation });
    // Last, because everybody who wants the same product waits from here to the commit.
    const [short] = await takeStock(
      tx,
      unitsOf([reservation]),
      reservation.createdAt,
    );
    if (short !== undefined) throw outOfStock(short);
    return reservation;
  }, signal && { signal });
}

/** Of somebody who was faster. */
async function requireExisting(
  tx: Executor,
  command: ReserveCommand,
): Promise<Reservation> {
  const existing = await existingReservation(tx, command);
  if (existing === undefined) throw reservationNotFound(command.id);
  return existing;
}

/** What a Reserve of this name gets, where there is a reservation. */
async function existingReservation(
  tx: Executor,
  command: ReserveCommand,
): Promise<Reservation | undefined> {
  const existing = await findReservation(tx, command.tenant, command.id);
  if (existing === undefined) return undefined;
  if (existing.state === "released" && existing.order === command.order) {
    const refusal = await findRefusal(tx, command);
    if (refusal) throw refusal;
  }
  return repeatOf(existing, command);
}
