import type { Executor } from "../../platform/data/executor.ts";
import { reservationNotFound } from "../domain/reservation-refusals.ts";
import type { Reservation } from "../domain/reservation.ts";
import { findReservation } from "../store/reservations.ts";

export interface GetReservationDeps {
  readonly db: Executor;
}

/** @throws DomainError RESERVATION_NOT_FOUND. */
export async function getReservation(
  deps: GetReservationDeps,
  tenant: string,
  id: string,
): Promise<Reservation> {
  const reservation = await findReservation(deps.db, tenant, id);
  if (reservation === undefined) throw reservationNotFound(id);
  return reservation;
}
