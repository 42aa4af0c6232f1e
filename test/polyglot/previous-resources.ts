import { expect } from "vitest";

/** What a test sells; two of it cost 25 EUR. In JSON, as all resources here: fields that are zero are left out. */
export const price = { currencyCode: "EUR", units: "12", nanos: 500_000_000 };

const aText = expect.stringMatching(/./);
const aTime = expect.stringMatching(/^\d{4}-.*Z$/);
const anEtag = expect.stringMatching(/^".+"$/);
const times = { createTime: aTime, updateTime: aTime };

export function eur(units: number) {
  return { currencyCode: "EUR", ...(units > 0 && { units: String(units) }) };
}

/** The whole of a product, as the last release's contract shows it. */
export function productOf(name: string, title: string, stock: object) {
  return {
    name,
    sku: name.slice("products/".length),
    title,
    description: "sold to clients of the last release",
    price,
    stock,
    etag: anEtag,
    ...times,
  };
}

/** The whole of an order for two of a product that was just placed. */
export function placedOrderOf(name: string, sku: string) {
  return {
    name,
    etag: anEtag,
    customer: "demo",
    lines: [{ sku, quantity: 2 }],
    expectedTotal: eur(25),
    state: "STATE_PLACED",
    ...times,
  };
}

/** The same once it is paid. */
export function completedOrderOf(name: string, sku: string) {
  return {
    ...placedOrderOf(name, sku),
    lines: [{ sku, quantity: 2, unitPrice: price }],
    total: eur(25),
    state: "STATE_COMPLETED",
    reservation: name.replace("orders/", "reservations/"),
    payment: name.replace("orders/", "payments/"),
    settleTime: aTime,
  };
}

/** The whole of an event in an order's timeline. */
export function eventOf(source: string, type: string) {
  return {
    eventId: aText,
    type: `weft.${source}.v1.${type}`,
    source: `/weft/${source}`,
    eventTime: aTime,
    receiveTime: aTime,
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
  };
}

/** The whole of the payment of an order of 25 EUR. */
export function paymentOf(order: string, state: string, captured: number) {
  return {
    name: order.replace("orders/", "payments/"),
    order,
    amount: eur(25),
    capturedAmount: eur(captured),
    refundedAmount: eur(0),
    state,
    providerReference: aText,
    etag: anEtag,
    ...times,
  };
}

/** The whole of a reservation of two of a product, but for its state. */
export function reservationOf(name: string, order: string, sku: string) {
  return {
    name,
    order,
    lines: [{ sku, quantity: 2, unitPrice: price }],
    total: eur(25),
    expireTime: aTime,
    ...times,
  };
}
