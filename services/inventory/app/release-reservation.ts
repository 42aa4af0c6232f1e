import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { reservationNotFound } from "../domain/reservation-refusals.ts";
import {
  release,
  releasedBeforeMade,
  type Reservation,
} from "../domain/reservation.ts";
import {
  insertReservation,
  lockReservation,
  saveReservationStates,
} from "../store/reservations.ts";
import { giveBackStock } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { unitsOf } from "./units-of.ts";

export interface ReleaseReservationDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
}

export interface ReleaseReservation {
  readonly tenant: string;
  readonly id: string;
  readonly order: string;
}

/**
 * Gives a held reservation back. Again, or after expiry, it returns the reservation as it is. One that was never made is
 * marked, so that a Reserve that comes late is refused (the barrier of a saga whose compensation overtakes its action).
 *
 * @throws DomainError RESERVATION_CONFIRMED, RESERVATION_CONFLICT.
 */
export function releaseReservation(
  deps: ReleaseReservationDeps,
  command: ReleaseReservation,
  signal?: AbortSignal,
): Promise<Reservation> {
  const { tenant, id, order } = command;
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
    const current =
      (await lockReservation(tx, tenant, id)) ??
      (await markReleased(tx, command, at));
    const reservation = release(current, order, at);
    if (reservation === current) return current;
    await saveReservationStates(tx, [reservation]);
    await deps.announce(tx, { type: "StockReleased", reservation });
    await giveBackStock(tx, unitsOf([reservation]), at);
    return reservation;
  }, signal && { signal });
}

/** The mark, or the reservation of a Reserve that came first after all. */
async function markReleased(
  tx: Executor,
  command: ReleaseReservation,
  at: Date,
): Promise<Reservation> {
  const mark = releasedBeforeMade(command, at);
  if (await insertReservation(tx, mark)) return mark;
  const made = await lockReservation(tx, command.tenant, command.id);
  if (made === undefined) throw reservationNotFound(command.id);
  return made;
}
