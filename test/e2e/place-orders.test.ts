import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, describe, it } from "vitest";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../gen/ts/weft/order/v1/order_pb.ts";
import { Payment_State as PaymentState } from "../../gen/ts/weft/payment/v1/payment_pb.ts";
import { clientKinds } from "../support/edge-clients.ts";
import { eventually } from "../support/eventually.ts";
import {
  openShop,
  PRICE,
  type OrderRequest,
  type Shop,
} from "../support/mesh-shop.ts";
import { orderState } from "../support/state-names.ts";

interface Refused {
  readonly what: string;
  readonly request: (shop: Shop) => OrderRequest;
  readonly reason: string;
  readonly metadata: (shop: Shop) => Record<string, string>;
}

const refused: readonly Refused[] = [
  {
    what: "whose payment is declined",
    request: (shop) => shop.order(2, "tok_declined"),
    reason: "PAYMENT_DECLINED",
    metadata: () => ({ decline_code: "insufficient_funds" }),
  },
  {
    what: "for more than there is",
    request: (shop) => shop.order(11),
    reason: "OUT_OF_STOCK",
    metadata: ({ sku }) => ({ sku, requested: "11", available: "10" }),
  },
  {
    what: "with one line too many",
    request: (shop) => ({
      order: {
        paymentToken: "tok_visa",
        lines: [
          { sku: shop.sku, quantity: 2 },
          { sku: `${shop.sku}-not`, quantity: 1 },
        ],
      },
    }),
    reason: "UNKNOWN_SKU",
    metadata: ({ sku }) => ({ sku: `${sku}-not` }),
  },
  {
    what: "whose price has changed",
    request: (shop) => ({
      order: {
        ...shop.order(2).order,
        expectedTotal: { currencyCode: "EUR", units: 24n, nanos: 0 },
      },
    }),
    reason: "PRICE_CHANGED",
    metadata: () => ({ expected: "2400 EUR", actual: "2500 EUR" }),
  },
];

/** By the name that a customer reads. */
const modes = [
  ["orchestrated", Coordination.ORCHESTRATED],
  ["choreographed", Coordination.CHOREOGRAPHED],
  ["two-phase", Coordination.TWO_PHASE_COMMIT],
] as const;

const ways = clientKinds.flatMap((kind) =>
  modes.map(([mode, coordination]) => ({ kind, mode, coordination })),
);

function inMode(
  { order, ...more }: OrderRequest,
  coordination: Coordination,
): OrderRequest {
  return { ...more, order: { ...order, coordination } };
}

describe.each(ways)(
  "an $mode order of a client of $kind",
  { concurrent: true },
  ({ kind, coordination }) => {
    it("buys what there is, at the price that it expects", async () => {
      using shop = await openShop(kind);
      const total = { currencyCode: "EUR", units: 25n, nanos: 0 };
      const { order: wanted } = shop.order(2);
      const request = { order: { ...wanted, expectedTotal: total } };

      const order = await shop.settled(inMode(request, coordination));

      expect(order).toMatchObject({
        name: expect.stringMatching(/^orders\/[0-9a-f-]{36}$/),
        customer: "demo",
        state: State.COMPLETED,
        coordination,
        total,
        lines: [{ sku: shop.sku, quantity: 2, unitPrice: PRICE }],
        paymentToken: "",
      });
      expect(order.settleTime).toBeDefined();
      expect(await shop.stock()).toEqual({
        available: 8n,
        reserved: 0n,
        sold: 2n,
      });
      expect(await shop.money(order.name)).toEqual({
        authorizations: 1,
        captures: 1,
        held: 0,
        refunds: 0,
      });
    });

    it.each(refused)(
      "$what is rejected with the reason, and nothing is kept for it",
      async ({ request, reason, metadata }) => {
        using shop = await openShop(kind);

        const order = await shop.settled(inMode(request(shop), coordination));

        expect(orderState(order.state)).toBe("REJECTED");
        expect(order.failure).toMatchObject({
          reason,
          metadata: metadata(shop),
        });
        expect(await shop.stock()).toEqual({
          available: 10n,
          reserved: 0n,
          sold: 0n,
        });
        const { payments } = await shop.client.payments.listPayments({
          order: order.name,
        });
        for (const { state } of payments) {
          expect([PaymentState.DECLINED, PaymentState.VOIDED]).toContain(state);
        }
        expect(await shop.money(order.name)).toMatchObject({
          captures: 0,
          held: 0,
        });
      },
    );
  },
);

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("is answered at once without wait, and finds the order settled later", async () => {
    using shop = await openShop(kind);

    const { order } = await shop.client.orders.createOrder(shop.order(1));

    expect(order?.state).toBe(State.PLACED);
    await shop.until(State.COMPLETED, order?.name ?? "");
  });

  it("finds the events of an order in its timeline, oldest first, in one trace", async () => {
    using shop = await openShop(kind);
    const { name } = await shop.settled(shop.order(1));

    await eventually(
      "the order's last event is back from Kafka",
      async () => (await shop.get(name)).timeline.length === 7,
    );
    const { timeline } = await shop.get(name);

    expect(timeline.map(({ type }) => type)).toEqual([
      "weft.order.v1.OrderPlaced",
      "weft.inventory.v1.StockReserved",
      "weft.payment.v1.PaymentAuthorized",
      "weft.inventory.v1.StockConfirmed",
      "weft.order.v1.OrderConfirmed",
      "weft.payment.v1.PaymentCaptured",
      "weft.order.v1.OrderCompleted",
    ]);
    expect(new Set(timeline.map(({ traceId }) => traceId)).size).toBe(1);
    expect(timeline[0]?.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  it("gets the same order again for the same request id", async () => {
    using shop = await openShop(kind);
    const request = shop.order(1, "tok_visa", { requestId: randomUUID() });

    const first = await shop.settled(request);
    const second = await shop.settled(request);

    expect(second).toEqual(first);
    expect(await shop.stock()).toMatchObject({ sold: 1n });
  });

  it("places one order with 20 requests at once of one request id, and pays once", async () => {
    using shop = await openShop(kind);
    const request = shop.order(1, "tok_visa", { requestId: randomUUID() });

    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => shop.settled(request)),
    );
    const { name } = await shop.settled(request);

    for (const outcome of outcomes) {
      // One of them places the order, the others come too early for its answer, or get it.
      if (outcome.status === "fulfilled") {
        expect(outcome.value.name).toBe(name);
      } else {
        expect(ConnectError.from(outcome.reason).code).toBe(Code.Aborted);
      }
    }
    expect(await shop.money(name)).toMatchObject({
      authorizations: 1,
      captures: 1,
    });
    expect(await shop.stock()).toMatchObject({ available: 9n, sold: 1n });
  });
});
