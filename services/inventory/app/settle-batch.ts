import { context, type Context } from "@opentelemetry/api";
import { createBatcher, type Batcher } from "../../platform/data/batcher.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { InventoryEvent } from "../domain/inventory-event.ts";
import { confirm, release, type Reservation } from "../domain/reservation.ts";
import {
  findReservations,
  type ReservationKey,
} from "../store/reservations.ts";
import {
  confirmTogether,
  releaseTogether,
  type SettledReservation,
} from "../store/settle-together.ts";
import type { AnnounceTogether } from "./announce.ts";
import {
  confirmReservation,
  type ConfirmReservationDeps,
} from "./confirm-reservation.ts";
import {
  releaseReservation,
  type ReleaseReservation,
} from "./release-reservation.ts";

export interface SettleBatchDeps extends ConfirmReservationDeps {
  readonly announceTogether: AnnounceTogether;
  readonly logger: Logger;
}

/** A change of a reservation that waits for its batch, and the trace that it belongs to. */
export type Waiting<Command> = Command & { readonly cause: Context };

export type ConfirmBatcher = Batcher<Waiting<ReservationKey>, Reservation>;
export type ReleaseBatcher = Batcher<Waiting<ReleaseReservation>, Reservation>;

/** Confirms reservations together, as {@link confirmReservation} would one by one. */
export function createConfirmBatcher(deps: SettleBatchDeps): ConfirmBatcher {
  return createBatcher<Waiting<ReservationKey>, Reservation>({
    name: "confirm",
    logger: deps.logger,
    keyOf,
    together: (items) =>
      settleTogether(deps, items, {
        event: "StockConfirmed",
        decide: (current, _command, at) => confirm(current, at),
        save: (settled) => confirmTogether(deps.db, settled),
      }),
    alone: ({ tenant, id }, signal) =>
      confirmReservation(deps, tenant, id, signal),
  });
}

/** Releases reservations together, as {@link releaseReservation} would one by one. */
export function createReleaseBatcher(deps: SettleBatchDeps): ReleaseBatcher {
  return createBatcher<Waiting<ReleaseReservation>, Reservation>({
    name: "release",
    logger: deps.logger,
    keyOf,
    together: (items) =>
      settleTogether(deps, items, {
        event: "StockReleased",
        decide: (current, { order }, at) => release(current, order, at),
        save: (settled) => releaseTogether(deps.db, settled),
      }),
    alone: (command, signal) => releaseReservation(deps, command, signal),
  });
}

/** Asks a batcher for a change, in the trace at hand. */
export function settleInBatch<Command extends ReservationKey>(
  batcher: Batcher<Waiting<Command>, Reservation>,
  command: Command,
  signal: AbortSignal,
): Promise<Reservation> {
  return batcher.submit({ ...command, cause: context.active() }, signal);
}

interface Settlement<Command> {
  readonly event: Extract<InventoryEvent, { reservation: Reservation }>["type"];
  readonly decide: (
    current: Reservation,
    command: Command,
    at: Date,
  ) => Reservation;
  readonly save: (
    settled: readonly SettledReservation[],
  ) => Promise<ReadonlySet<number>>;
}

/**
 * Reads the reservations without a lock, decides, and saves what is still held then. Whatever else is the case of one
 * (missing, refused, changed in between) is undefined: alone, and under a lock, it gets its answer.
 */
async function settleTogether<Command extends ReservationKey>(
  deps: SettleBatchDeps,
  items: readonly Waiting<Command>[],
  settlement: Settlement<Command>,
): Promise<(Reservation | undefined)[]> {
  const found = await findReservations(deps.db, items);
  const current = new Map(
    found.map((reservation) => [keyOf(reservation), reservation]),
  );
  const at = deps.now();
  const results = items.map((): Reservation | undefined => undefined);
  const changed: (SettledReservation & { place: number })[] = [];
  items.forEach((item, place) => {
    const before = current.get(keyOf(item));
    const after = before && decideOrLeave(settlement, before, item, at);
    if (after === before) {
      // Already there: a repeat.
      results[place] = after;
    } else if (after !== undefined) {
      const event = { type: settlement.event, reservation: after };
      const row = deps.announceTogether.row(event, item.cause);
      changed.push({ place, reservation: after, event: row });
    }
  });
  if (changed.length > 0) {
    const saved = await settlement.save(changed);
    deps.announceTogether.wake();
    changed.forEach(({ place, reservation }, n) => {
      if (saved.has(n)) results[place] = reservation;
    });
  }
  return results;
}

function decideOrLeave<Command>(
  { decide }: Settlement<Command>,
  current: Reservation,
  command: Command,
  at: Date,
): Reservation | undefined {
  try {
    return decide(current, command, at);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function keyOf({ tenant, id }: ReservationKey): string {
  return `${tenant}/${id}`;
}
