import { context } from "@opentelemetry/api";
import {
  prepareBranch,
  type TwoPhaseDeps,
} from "../../platform/data/two-phase.ts";
import type { Branch } from "../../platform/data/branch-store.ts";
import type { Money } from "../domain/money.ts";
import {
  sell,
  type PricedLine,
  type Reservation,
} from "../domain/reservation.ts";
import { reservationConflict } from "../domain/reservation-refusals.ts";
import { outOfStock } from "../domain/stock.ts";
import { insertReservation } from "../store/reservations.ts";
import { sellAvailable } from "../store/stock.ts";
import type { AnnounceTogether } from "./announce.ts";
import type { PriceCache } from "./price-cache.ts";
import { unitsOf } from "./units-of.ts";

export interface PrepareSaleDeps extends TwoPhaseDeps {
  readonly announceTogether: AnnounceTogether;
  readonly prices: PriceCache;
  readonly now: () => Date;
}

export interface PrepareSale {
  readonly tenant: string;
  /** The order's id, and so the reservation's. */
  readonly id: string;
  readonly order: string;
  readonly lines: readonly PricedLine[];
}

/** A sale has no end of its own: the column that a held reservation needs is filled, and nobody looks at it. */
const TTL_MS = 15 * 60_000;

/**
 * Prepares the sale of an order's stock: every line, or none. Nobody else gets these products until the decision.
 *
 * @throws DomainError UNKNOWN_SKU, OUT_OF_STOCK, MIXED_CURRENCIES, PRICE_CHANGED, and what {@link prepareBranch} throws.
 */
export async function prepareSale(
  deps: PrepareSaleDeps,
  branch: Branch,
  command: PrepareSale,
  signal?: AbortSignal,
): Promise<void> {
  const reservation = sell(
    { ...command, ttlMs: TTL_MS },
    await pricesOf(deps, command),
    deps.now(),
  );
  await prepareBranch(
    deps,
    branch,
    async (tx) => {
      const event = { type: "StockConfirmed", reservation } as const;
      const row = deps.announceTogether.row(event, context.active());
      if (!(await insertReservation(tx, reservation, [row]))) {
        throw reservationConflict(reservation.id);
      }
      await takeUnits(tx, reservation);
    },
    signal,
  );
}

/** Last, because everybody who wants the same product waits from here to the decision. */
async function takeUnits(
  tx: Parameters<typeof sellAvailable>[0],
  reservation: Reservation,
): Promise<void> {
  const units = unitsOf([reservation]);
  const [short] = await sellAvailable(tx, units, reservation.createdAt);
  if (short !== undefined) throw outOfStock(short);
}

async function pricesOf(
  deps: PrepareSaleDeps,
  { tenant, lines }: PrepareSale,
): Promise<ReadonlyMap<string, Money>> {
  const products = lines.map(({ sku }) => ({ tenant, sku }));
  const priceOf = await deps.prices.pricesOf(deps.db, products);
  return new Map(
    products.flatMap((product) => {
      const price = priceOf(product);
      return price === undefined ? [] : [[product.sku, price]];
    }),
  );
}
