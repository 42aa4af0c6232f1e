import { context, type Context } from "@opentelemetry/api";
import { createBatcher, type Batcher } from "../../platform/data/batcher.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Money } from "../domain/money.ts";
import {
  hold,
  type Reservation,
  type ReserveCommand,
} from "../domain/reservation.ts";
import type { ProductKey } from "../store/products.ts";
import {
  reserveTogether,
  type NewReservation,
} from "../store/reserve-together.ts";
import type { AnnounceTogether } from "./announce.ts";
import type { PriceCache } from "./price-cache.ts";
import { reserve, type ReserveDeps } from "./reserve.ts";

export interface ReserveBatchDeps extends ReserveDeps {
  readonly announceTogether: AnnounceTogether;
  readonly logger: Logger;
  readonly prices: PriceCache;
}

/** A Reserve that waits for its batch, and the trace that it belongs to. */
export interface WaitingReserve {
  readonly command: ReserveCommand;
  readonly cause: Context;
}

/**
 * Makes reservations that are asked for at the same time in one transaction, as {@link reserve} would one by one. What
 * the usual case does not cover is left to it: then nothing was done for that one.
 */
export function createReserveBatcher(
  deps: ReserveBatchDeps,
): Batcher<WaitingReserve, Reservation> {
  return createBatcher({
    name: "reserve",
    logger: deps.logger,
    keyOf: ({ command }) => `${command.tenant}/${command.id}`,
    together: (items) => makeReservations(deps, items),
    alone: ({ command }, signal) => reserve(deps, command, signal),
  });
}

/** Holds stock for an order: see {@link reserve}. */
export function reserveInBatch(
  batcher: Batcher<WaitingReserve, Reservation>,
  command: ReserveCommand,
  signal: AbortSignal,
): Promise<Reservation> {
  return batcher.submit({ command, cause: context.active() }, signal);
}

async function makeReservations(
  deps: ReserveBatchDeps,
  items: readonly WaitingReserve[],
): Promise<(Reservation | undefined)[]> {
  const products = items.flatMap(({ command: { tenant, lines } }) =>
    lines.map(({ sku }) => ({ tenant, sku })),
  );
  const priceOf = await deps.prices.pricesOf(deps.db, products);
  const at = deps.now();
  const wanted = items.flatMap(({ command, cause }, place) => {
    const reservation = holdIfPriced(command, priceOf, at);
    if (reservation === undefined) return [];
    const event = { type: "StockReserved", reservation } as const;
    const row = deps.announceTogether.row(event, cause);
    return [{ place, reservation, event: row }];
  });
  const made = await makeWanted(deps, wanted);
  const results = items.map((): Reservation | undefined => undefined);
  wanted.forEach(({ place, reservation }, n) => {
    if (made.has(n)) results[place] = reservation;
  });
  return results;
}

async function makeWanted(
  deps: ReserveBatchDeps,
  wanted: readonly NewReservation[],
): Promise<ReadonlySet<number>> {
  if (wanted.length === 0) return new Set();
  const made = await reserveTogether(deps.db, wanted);
  deps.announceTogether.wake();
  return made;
}

/** The reservation, or undefined where a line's product is missing or the currencies differ: alone it is refused. */
function holdIfPriced(
  command: ReserveCommand,
  priceOf: (product: ProductKey) => Money | undefined,
  at: Date,
): Reservation | undefined {
  const prices = new Map<string, Money>();
  for (const { sku } of command.lines) {
    const price = priceOf({ tenant: command.tenant, sku });
    if (price !== undefined) prices.set(sku, price);
  }
  try {
    return hold(command, prices, at);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
