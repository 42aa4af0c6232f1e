import type { Database } from "../../platform/data/database.ts";
import { expire } from "../domain/reservation.ts";
import {
  lockOverdueReservations,
  saveReservationStates,
} from "../store/reservations.ts";
import { giveBackStock } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { unitsOf } from "./units-of.ts";

export interface ExpireReservationsDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
}

/**
 * Gives back reservations whose time is over, `limit` at most, in one transaction. Several processes may do it at once:
 * each takes others.
 *
 * @returns how many were given back.
 */
export function expireReservations(
  deps: ExpireReservationsDeps,
  limit: number,
  signal?: AbortSignal,
): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
    const overdue = await lockOverdueReservations(tx, at, limit);
    const expired = overdue
      .map((reservation) => expire(reservation, at))
      .filter((reservation) => reservation.state === "expired");
    if (expired.length === 0) return 0;
    await saveReservationStates(tx, expired);
    for (const reservation of expired) {
      await deps.announce(tx, { type: "ReservationExpired", reservation });
    }
    await giveBackStock(tx, unitsOf(expired), at);
    return expired.length;
  }, signal && { signal });
}
