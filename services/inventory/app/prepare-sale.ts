import {
  commitBranch,
  prepareBranch,
  rollbackBranch,
  settlePredecessors,
  type TwoPhaseDeps,
} from "../../platform/data/two-phase.ts";
import { branchRolledBack } from "../../platform/data/branch-barrier.ts";
import type { Branch } from "../../platform/data/branch-store.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import {
  DEFAULT_TTL_MS,
  isKept,
  requirePrices,
  type PricedLine,
} from "../domain/reservation.ts";
import { reservationExpired } from "../domain/reservation-refusals.ts";
import {
  findReservation,
  keepReservation,
  type ReservationKey,
} from "../store/reservations.ts";
import type { PriceCache } from "./price-cache.ts";
import type { ReservationBatches } from "./reservation-batches.ts";
import { reserveInBatch } from "./reserve-batch.ts";
import { settleInBatch } from "./settle-batch.ts";

export interface PrepareSaleDeps extends TwoPhaseDeps {
  readonly batches: ReservationBatches;
  readonly prices: PriceCache;
}

/** What is sold. The reservation has its order's id. */
export interface Sale extends ReservationKey {
  /** The order, `orders/{order}`. */
  readonly order: string;
}

/** A sale at prices that the coordinator has told its customer. */
export interface PricedSale extends Sale {
  readonly lines: readonly PricedLine[];
}

/**
 * Prepares the sale of an order's stock: every line, or none. The units are taken out of what is available by a reservation,
 * which is committed beforehand, and what is prepared is that the reservation never runs out. So a branch in doubt holds the
 * row of its own reservation and no product's: others go on selling the rest of it (the escrow method, O'Neil 1986).
 *
 * @throws DomainError UNKNOWN_SKU, OUT_OF_STOCK, MIXED_CURRENCIES, PRICE_CHANGED, RESERVATION_EXPIRED, RESERVATION_CONFLICT,
 * and what {@link prepareBranch} throws.
 */
export async function prepareSale(
  deps: PrepareSaleDeps,
  branch: Branch,
  sale: PricedSale,
  signal: AbortSignal,
): Promise<void> {
  // What they have prepared holds the reservation's row.
  if (await settlePredecessors(deps, branch)) return;
  await requireKnownPrices(deps, sale);
  await holdUnits(deps, branch, sale, signal);
  await prepareBranch(
    deps,
    branch,
    async (tx) => {
      if (!(await keepReservation(tx, sale))) throw reservationExpired(sale.id);
    },
    signal,
  );
}

/**
 * Commits the sale: the units count as sold.
 *
 * @throws DomainError BRANCH_NOT_PREPARED, BRANCH_BUSY.
 */
export async function commitSale(
  deps: PrepareSaleDeps,
  branch: Branch,
  { tenant, id }: ReservationKey,
  signal: AbortSignal,
): Promise<void> {
  await commitBranch(deps, branch, async () => {
    const reservation = await findReservation(deps.db, tenant, id);
    return reservation !== undefined && isKept(reservation);
  });
  await settleInBatch(deps.batches.confirm, { tenant, id }, signal);
}

/**
 * Rolls the sale back and gives the units back; keeps them where it is to be prepared again.
 *
 * @throws DomainError BRANCH_COMMITTED, STALE_EPOCH, BRANCH_BUSY.
 */
export async function rollbackSale(
  deps: PrepareSaleDeps,
  branch: Branch,
  sale: Sale,
  again: boolean,
  signal: AbortSignal,
): Promise<void> {
  await rollbackBranch(deps, branch);
  if (!again) await settleInBatch(deps.batches.release, sale, signal);
}

async function requireKnownPrices(
  { prices, db }: PrepareSaleDeps,
  { tenant, lines }: PricedSale,
): Promise<void> {
  const products = lines.map(({ sku }) => ({ tenant, sku }));
  const priceOf = await prices.pricesOf(db, products);
  requirePrices(lines, (sku) => priceOf({ tenant, sku }));
}

async function holdUnits(
  { batches }: PrepareSaleDeps,
  { transaction }: Branch,
  sale: PricedSale,
  signal: AbortSignal,
): Promise<void> {
  // The end is for units that nobody prepares after all, nor gives back.
  const command = { ...sale, ttlMs: DEFAULT_TTL_MS };
  try {
    await reserveInBatch(batches.reserve, command, signal);
  } catch (error) {
    // By the rollback that came first: nobody else gives a sale's units back.
    throw error instanceof DomainError &&
      error.reason === "RESERVATION_RELEASED"
      ? branchRolledBack(transaction)
      : error;
  }
}
