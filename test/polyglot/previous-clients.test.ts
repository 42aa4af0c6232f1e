import type { DescMethod, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  clientKinds,
  openTransport,
  type ClientKind,
} from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { eventually } from "../support/eventually.ts";
import { titleOf } from "../support/mesh-audit.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import {
  previousClient,
  readPreviousRelease,
  type PreviousClient,
} from "./previous-release.ts";
import {
  completedOrderOf,
  eur,
  eventOf,
  paymentOf,
  placedOrderOf,
  price,
  productOf,
} from "./previous-resources.ts";

const { forOutside, methodsOf } = readPreviousRelease();
const inventory = methodsOf("weft.inventory.v1.InventoryService");
const order = methodsOf("weft.order.v1.OrderService");
const payment = methodsOf("weft.payment.v1.PaymentService");
const answered = new Set<DescMethod>();

/** The events of an order that is paid, oldest first, by who announces them. */
const PAID = [
  ["order", "OrderPlaced"],
  ["inventory", "StockReserved"],
  ["payment", "PaymentAuthorized"],
  ["inventory", "StockConfirmed"],
  ["order", "OrderConfirmed"],
  ["payment", "PaymentCaptured"],
  ["order", "OrderCompleted"],
] as const;

describe.each(clientKinds)(
  "a client of the last release over %s",
  { concurrent: true },
  (kind) => {
    it("sells a product, brings more of it in, and finds it", async () => {
      using client = connect(kind);
      const title = titleOf(15n);
      const { name, created } = await sell(client, title);

      const adjusted = await client.call(inventory("AdjustStock"), {
        name,
        delta: "5",
        reason: "more came in",
        requestId: randomUUID(),
      });
      const read = await client.call(inventory("GetProduct"), { name });
      const batch = await client.call(inventory("BatchGetProducts"), {
        names: [name, name],
      });
      const listed = await findInPages(name, (pageToken) =>
        client.call(inventory("ListProducts"), { pageSize: 500, pageToken }),
      );

      const product = productOf(name, title, { available: "15" });
      expect(created).toEqual({
        product: { ...product, stock: { available: "10" } },
      });
      expect(adjusted).toEqual({ product });
      expect(read).toEqual(adjusted);
      expect(batch).toEqual({ products: [product, product] });
      expect(listed).toEqual(product);
    });

    it("orders, watches, and reads the order with its events", async () => {
      using client = connect(kind);
      const { sku } = await sell(client);

      const placed = await client.call(order("CreateOrder"), orderOf(sku));
      const { name } = orderIn(placed);
      const last = await client.call(order("WatchOrders"), { name });
      const read = await readOrderUntil(
        client,
        name,
        ({ timeline }) => timeline.length === PAID.length,
      );

      const completed = completedOrderOf(name, sku);
      const timeline = PAID.map(([source, type]) => eventOf(source, type));
      expect(placed).toEqual({ order: placedOrderOf(name, sku) });
      expect(last).toEqual({ order: completed });
      expect(read).toEqual({ order: { ...completed, timeline } });
    });

    it("waits for an order, and finds it and its payment in lists", async () => {
      using client = connect(kind);
      const { sku } = await sell(client);
      const request = () => ({ ...orderOf(sku), wait: true });

      const settled = await client.call(order("CreateOrder"), request());
      const { name } = orderIn(settled);
      // Newest first: one that is later makes a page before it.
      await client.call(order("CreateOrder"), request());
      const listed = await findInPages(name, (pageToken) =>
        client.call(order("ListOrders"), {
          pageSize: 1,
          pageToken,
          states: ["STATE_COMPLETED"],
          customer: "demo",
        }),
      );
      const read = await client.call(payment("GetPayment"), {
        name: name.replace("orders/", "payments/"),
      });
      const payments = await client.call(payment("ListPayments"), {
        pageSize: 10,
        order: name,
      });
      const stock = await stockOf(client, sku);

      const paid = paymentOf(name, "STATE_CAPTURED", 25);
      expect(settled).toEqual({ order: completedOrderOf(name, sku) });
      expect(listed).toEqual(completedOrderOf(name, sku));
      expect(read).toEqual({ payment: paid });
      expect(payments).toEqual({ payments: [paid] });
      expect(stock).toEqual({ available: "6", sold: "4" });
    });

    it("cancels an order that waits for its payment", async () => {
      using client = connect(kind);
      const { sku } = await sell(client);
      const request = orderOf(sku, { paymentToken: "tok_late" });
      const placed = await client.call(order("CreateOrder"), request);
      const { name } = orderIn(placed);
      const reserved = await readOrderUntil(
        client,
        name,
        ({ state }) => state === "STATE_RESERVED",
      );
      const stock = await stockOf(client, sku);

      const cancelling = await client.call(order("CancelOrder"), {
        name,
        etag: orderIn(reserved).etag,
        requestId: randomUUID(),
      });
      const last = await client.call(order("WatchOrders"), { name });

      const {
        payment: _payment,
        settleTime,
        ...held
      } = completedOrderOf(name, sku);
      expect(cancelling).toEqual({
        order: { ...held, state: "STATE_CANCELLING" },
      });
      expect(last).toEqual({
        order: { ...held, settleTime, state: "STATE_CANCELLED" },
      });
      expect(stock).toEqual({ available: "8", reserved: "2" });
      expect(await stockOf(client, sku)).toEqual({ available: "10" });
    });

    it("reads why an order is rejected, and what an error says", async () => {
      using client = connect(kind);
      const { sku } = await sell(client);

      const rejected = await client.call(order("CreateOrder"), {
        ...orderOf(sku, { paymentToken: "tok_declined" }),
        wait: true,
      });
      const refusal = await refusalOf(
        client.call(order("CreateOrder"), orderOf(sku, { quantity: -1 })),
      );

      expect(rejected).toMatchObject({
        order: {
          state: "STATE_REJECTED",
          failure: {
            reason: "PAYMENT_DECLINED",
            message: expect.stringMatching(/./),
            metadata: { decline_code: "insufficient_funds" },
          },
        },
      });
      expect(refusal).toMatchObject({
        code: "InvalidArgument",
        reason: "INVALID_FIELD",
        fields: ["order.lines[0].quantity"],
      });
    });
  },
);

it("no method of the last release that is for clients outside is left uncalled", () => {
  const uncalled = forOutside.filter((method) => !answered.has(method));

  expect(uncalled.map(String)).toEqual([]);
});

function connect(kind: ClientKind): PreviousClient {
  const reading = { ignoreUnknownFields: true };
  const transport = openTransport(meshUnderTest().edge, kind, reading);
  return previousClient(transport, { answered });
}

/** Sells ten of a product that nobody else sells. */
async function sell(client: PreviousClient, title = titleOf(10n)) {
  const sku = `previous-${randomUUID()}`;
  const created = await client.call(inventory("CreateProduct"), {
    sku,
    openingStock: "10",
    product: {
      title,
      description: "sold to clients of the last release",
      price,
    },
    requestId: randomUUID(),
  });
  return { sku, name: `products/${sku}`, created };
}

async function stockOf(client: PreviousClient, sku: string): Promise<unknown> {
  const name = `products/${sku}`;
  const { product } = await client.call(inventory("GetProduct"), { name });
  return z.object({ stock: z.unknown() }).parse(product).stock;
}

function orderOf(
  sku: string,
  { quantity = 2, paymentToken = "tok_visa" } = {},
): JsonObject {
  return {
    order: {
      lines: [{ sku, quantity }],
      paymentToken,
      expectedTotal: eur(25),
    },
    requestId: randomUUID(),
  };
}

const orderShape = z.object({
  name: z.string(),
  etag: z.string(),
  state: z.string(),
  timeline: z.array(z.unknown()).default([]),
});

function orderIn(answer: JsonObject): z.infer<typeof orderShape> {
  return orderShape.parse(answer["order"]);
}

/** What GetOrder answers once the order is so. */
async function readOrderUntil(
  client: PreviousClient,
  name: string,
  isSo: (order: z.infer<typeof orderShape>) => boolean,
): Promise<JsonObject> {
  const get = () => client.call(order("GetOrder"), { name });
  let answer = await get();
  await eventually(
    `${name} is as awaited`,
    async () => isSo(orderIn((answer = await get()))),
    60_000,
  );
  return answer;
}

/** The resource of this name, on whichever page of a list it is. */
async function findInPages(
  name: string,
  page: (token: string) => Promise<JsonObject>,
): Promise<JsonValue | undefined> {
  let token = "";
  do {
    const { nextPageToken = "", ...lists } = await page(token);
    const found = Object.values(lists)
      .flat()
      .find((each) => nameShape.safeParse(each).data?.name === name);
    if (found !== undefined) return found;
    token = z.string().parse(nextPageToken);
  } while (token !== "");
  return undefined;
}

const nameShape = z.object({ name: z.string() });
