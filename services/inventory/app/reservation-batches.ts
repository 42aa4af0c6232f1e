import type { Batcher } from "../../platform/data/batcher.ts";
import type { Reservation } from "../domain/reservation.ts";
import {
  createReserveBatcher,
  type ReserveBatchDeps,
  type WaitingReserve,
} from "./reserve-batch.ts";
import {
  createConfirmBatcher,
  createReleaseBatcher,
  type ConfirmBatcher,
  type ReleaseBatcher,
} from "./settle-batch.ts";

/** What is done to reservations, each kind of change in batches of its own. */
export interface ReservationBatches {
  readonly reserve: Batcher<WaitingReserve, Reservation>;
  readonly confirm: ConfirmBatcher;
  readonly release: ReleaseBatcher;
}

export function createReservationBatches(
  deps: ReserveBatchDeps,
): ReservationBatches {
  return {
    reserve: createReserveBatcher(deps),
    confirm: createConfirmBatcher(deps),
    release: createReleaseBatcher(deps),
  };
}
