import { context, type Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { InventoryEvent } from "../domain/inventory-event.ts";
import type { Money } from "../domain/money.ts";
import { confirm, release, type Reservation } from "../domain/reservation.ts";
import type { ProductKey } from "../store/products.ts";
import { reserveTogether } from "../store/reserve-together.ts";
import {
  lockReservations,
  type ReservationKey,
} from "../store/reservations.ts";
import { confirmTogether, releaseTogether } from "../store/settle-together.ts";
import { lockStock } from "../store/stock.ts";
import type { AnnounceTogether } from "./announce.ts";
import {
  confirmForPayment,
  holdAtPrice,
  releaseForPayment,
  reserveForOrder,
  type FollowOrderDeps,
  type PlacedOrder,
} from "./follow-order.ts";
import type { PriceCache } from "./price-cache.ts";
import { unitsOf } from "./units-of.ts";

export interface FollowOrdersDeps extends FollowOrderDeps {
  readonly announceTogether: AnnounceTogether;
  readonly prices: PriceCache;
}

/** What has happened to a choreographed order. A reservation has its order's id. */
export type OrderHappening =
  | { readonly kind: "placed"; readonly placed: PlacedOrder }
  | ({ readonly kind: "authorized" | "declined" } & ReservationKey);

/** The same, and the trace that it belongs to. */
export type OrderNews = OrderHappening & { readonly cause: Context };

/**
 * Does for many choreographed orders what `follow-order.ts` does for one, several things that happened to one order one
 * after the other. The usual case is done together; refusals, repeats and whatever else is left to it.
 */
export async function followOrders(
  deps: FollowOrdersDeps,
  tx: Transaction,
  news: readonly OrderNews[],
): Promise<void> {
  const ofOrders = [
    ...Map.groupBy(news, (each) => nameOf(keyOf(each))).values(),
  ];
  for (let round = 0; ; round += 1) {
    const next = ofOrders.flatMap((each) => each[round] ?? []);
    if (next.length === 0) return;
    const left = await followUsual(deps, tx, next);
    for (const each of left) {
      await context.with(each.cause, () => followOne(deps, tx, each));
    }
  }
}

type ReservationEvent = Extract<InventoryEvent, { reservation: Reservation }>;

/** Giving back goes first: what is short may be there then. */
const statements = {
  StockReleased: releaseTogether,
  StockConfirmed: confirmTogether,
  StockReserved: reserveTogether,
} as const;

/** No two may be of one order. Answers those that are left. */
async function followUsual(
  deps: FollowOrdersDeps,
  tx: Transaction,
  news: readonly OrderNews[],
): Promise<OrderNews[]> {
  const found = await lockReservations(tx, news.map(keyOf));
  const current = new Map(found.map((each) => [nameOf(each), each]));
  const priceOf = await deps.prices.pricesOf(tx, news.flatMap(productsOf));
  const at = deps.now();
  const usual = news.flatMap((each) => {
    const before = current.get(nameOf(keyOf(each)));
    const event = usualEvent(each, before, priceOf, at);
    return event ? [{ news: each, event }] : [];
  });
  // All products of all statements at once, so that two transactions never wait for each other in a ring.
  await lockStock(tx, unitsOf(usual.map(({ event }) => event.reservation)));
  const done = new Set<OrderNews>();
  for (const [type, save] of Object.entries(statements)) {
    const ofType = usual.filter(({ event }) => event.type === type);
    if (ofType.length === 0) continue;
    const saved = await save(
      tx,
      ofType.map(({ news: { cause }, event }) => ({
        reservation: event.reservation,
        event: deps.announceTogether.row(event, cause),
      })),
    );
    for (const n of saved) {
      const each = ofType[n];
      if (each) done.add(each.news);
    }
  }
  tx.onCommit(() => deps.announceTogether.wake());
  return news.filter((each) => !done.has(each));
}

type PriceOf = (product: ProductKey) => Money | undefined;

/** Undefined where it is not the usual case. */
function usualEvent(
  news: OrderNews,
  current: Reservation | undefined,
  priceOf: PriceOf,
  at: Date,
): ReservationEvent | undefined {
  const choreographed = true;
  switch (news.kind) {
    case "placed": {
      const { placed } = news;
      const reservation = current
        ? undefined
        : orRefused(() => holdAtPrice(placed, pricesOf(placed, priceOf), at));
      const { sealedPaymentToken } = placed;
      return (
        reservation && {
          type: "StockReserved",
          reservation,
          choreographed,
          sealedPaymentToken,
        }
      );
    }
    case "authorized":
    case "declined": {
      if (current?.state !== "held") return undefined;
      const isSold = news.kind === "authorized";
      const type = isSold ? "StockConfirmed" : "StockReleased";
      const reservation = orRefused(() =>
        isSold
          ? confirm(current, at)
          : release(current, `orders/${current.id}`, at),
      );
      return reservation && { type, reservation, choreographed };
    }
  }
}

/** Undefined where it is refused: alone, the refusal is kept and announced. */
function orRefused(change: () => Reservation): Reservation | undefined {
  try {
    return change();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function followOne(
  deps: FollowOrdersDeps,
  tx: Transaction,
  news: OrderNews,
): Promise<void> {
  if (news.kind === "placed") return reserveForOrder(deps, tx, news.placed);
  const order = { tenant: news.tenant, orderId: news.id };
  return news.kind === "authorized"
    ? confirmForPayment(deps, tx, order)
    : releaseForPayment(deps, tx, order);
}

function productsOf(news: OrderNews): ProductKey[] {
  if (news.kind !== "placed") return [];
  const { tenant, lines } = news.placed;
  return lines.map(({ sku }) => ({ tenant, sku }));
}

function pricesOf(
  { tenant, lines }: PlacedOrder,
  priceOf: PriceOf,
): Map<string, Money> {
  return new Map(
    lines.flatMap(({ sku }) => {
      const price = priceOf({ tenant, sku });
      return price ? [[sku, price] as const] : [];
    }),
  );
}

function keyOf(news: OrderNews): ReservationKey {
  return news.kind === "placed" ? news.placed : news;
}

function nameOf({ tenant, id }: ReservationKey): string {
  return `${tenant}/${id}`;
}
