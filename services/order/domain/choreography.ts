import { faultOfTotal } from "./order-failures.ts";
import { sagaMoves, withPrices, type Prices } from "./saga.ts";
import { isSettled, type Order, type OrderFailure } from "./order.ts";

/** What has happened to a choreographed order, told by an event or found by asking. */
export type Fact =
  | ({ readonly kind: "reserved" } & Prices)
  | { readonly kind: "authorized" }
  | ({ readonly kind: "confirmed" } & Prices)
  | { readonly kind: "captured" }
  /** Nothing is held of its stock; its payment may be, where `isAuthorized`. */
  | {
      readonly kind: "stock refused";
      readonly failure: OrderFailure;
      readonly isAuthorized: boolean;
    }
  | { readonly kind: "declined"; readonly failure: OrderFailure }
  | { readonly kind: "released" };

/**
 * The versions that a fact takes a choreographed order through, the last one being what it makes of it; none where it
 * tells nothing new.
 */
export function followed(order: Order, fact: Fact, at: Date): Order[] {
  const versions: Order[] = [];
  let current = order;
  for (;;) {
    const next = follow(current, fact, at);
    if (next === current) return versions;
    versions.push(next);
    current = next;
  }
}

/**
 * The next version that a fact makes of a choreographed order: the same object where it tells nothing new. Facts of different services come
 * in any order, so each moves the order forward to where it must be by now, and never back. What is left to do after a
 * refusal is the drivers' work, as for every order.
 */
function follow(order: Order, fact: Fact, at: Date): Order {
  if (isSettled(order) || order.coordination !== "choreographed") return order;
  switch (fact.kind) {
    case "reserved":
      return reserved(order, fact, at);
    case "authorized":
      return isAhead(order, "authorized")
        ? forward(order, "authorized", at)
        : order;
    case "confirmed":
      return confirmed(order, fact, at);
    case "captured":
      return captured(order, at);
    case "stock refused":
      return isPending(order)
        ? sagaMoves.reject(
            order,
            fact.failure,
            fact.isAuthorized || order.state !== "placed" ? ["void"] : [],
            at,
          )
        : order;
    case "declined":
      return isPending(order)
        ? sagaMoves.reject(order, fact.failure, ["release"], at)
        : order;
    case "released":
      return order.undo.includes("release")
        ? sagaMoves.undo(order, "release", at)
        : order;
  }
}

function reserved(order: Order, prices: Prices, at: Date): Order {
  if (order.total !== undefined) return order;
  const priced = withPrices(order, prices);
  if (order.state !== "placed") return sagaMoves.change(priced, {}, at);
  // One that was reserved by a call is compared by nobody else.
  const fault = faultOfTotal(order, prices.total);
  return fault
    ? sagaMoves.reject(priced, fault, ["release"], at)
    : forward(priced, "reserved", at);
}

/** The pivot: whatever the order was about to do, its stock is sold, and it goes on. */
function confirmed(order: Order, prices: Prices, at: Date): Order {
  if (order.state === "confirmed" && order.total !== undefined) return order;
  return forward(
    { ...withPrices(order, prices), failure: undefined, undo: [] },
    "confirmed",
    at,
  );
}

/**
 * The money is taken of those only whose stock is sold, so it is confirmed first, whoever tells of it. One whose prices
 * are not known yet waits for them.
 */
function captured(order: Order, at: Date): Order {
  if (order.state !== "confirmed") {
    const sold = { ...order, failure: undefined, undo: [] };
    return forward(sold, "confirmed", at);
  }
  return order.total === undefined ? order : forward(order, "completed", at);
}

const forward = (order: Order, state: Order["state"], at: Date): Order =>
  sagaMoves.change(
    order,
    {
      state,
      attention: undefined,
      ...(state === "reserved" || state === "placed"
        ? {}
        : { paymentToken: undefined }),
    },
    at,
  );

function isPending({ state }: Order): boolean {
  return state === "placed" || state === "reserved" || state === "authorized";
}

function isAhead({ state }: Order, of: "authorized"): boolean {
  return of === "authorized" && (state === "placed" || state === "reserved");
}
