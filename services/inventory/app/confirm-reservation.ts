import type { Database } from "../../platform/data/database.ts";
import { reservationNotFound } from "../domain/reservation-refusals.ts";
import { confirm, type Reservation } from "../domain/reservation.ts";
import {
  lockReservation,
  saveReservationStates,
} from "../store/reservations.ts";
import { sellStock } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { unitsOf } from "./units-of.ts";

export interface ConfirmReservationDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
}

/**
 * Sells a held reservation. Again it returns the reservation as it is.
 *
 * @throws DomainError RESERVATION_NOT_FOUND, RESERVATION_EXPIRED, RESERVATION_RELEASED.
 */
export function confirmReservation(
  deps: ConfirmReservationDeps,
  tenant: string,
  id: string,
  signal?: AbortSignal,
): Promise<Reservation> {
  return deps.db.transaction(async (tx) => {
    const current = await lockReservation(tx, tenant, id);
    if (current === undefined) throw reservationNotFound(id);
    const at = deps.now();
    const reservation = confirm(current, at);
    if (reservation === current) return current;
    await saveReservationStates(tx, [reservation]);
    await deps.announce(tx, { type: "StockConfirmed", reservation });
    await sellStock(tx, unitsOf([reservation]), at);
    return reservation;
  }, signal && { signal });
}
