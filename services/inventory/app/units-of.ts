import type { Reservation } from "../domain/reservation.ts";
import type { Units } from "../store/stock.ts";

/** What these reservations hold, line by line. */
export function unitsOf(reservations: readonly Reservation[]): Units[] {
  return reservations.flatMap(({ tenant, lines }) =>
    lines.map(({ sku, quantity }) => ({ tenant, sku, quantity })),
  );
}
