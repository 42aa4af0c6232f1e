import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { clientKinds } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { openShop } from "../support/mesh-shop.ts";

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("is told of every field that breaks a rule", async () => {
    using shop = await openShop(kind);

    const refusal = await refusalOf(
      shop.client.orders.createOrder({
        order: {
          lines: [
            { sku: "NO SKU", quantity: 0 },
            { sku: shop.sku, quantity: 10_001 },
          ],
          paymentToken: "",
        },
        requestId: "not-a-uuid",
      }),
    );

    expect({ ...refusal, fields: refusal.fields.toSorted() }).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      domain: "weft.dev",
      metadata: {},
      fields: [
        "order.lines[0].quantity",
        "order.lines[0].sku",
        "order.lines[1].quantity",
        "order.payment_token",
        "request_id",
      ],
    });
  });

  it("is told of the field whose text can't be stored", async () => {
    using shop = await openShop(kind);
    const product = {
      title: "a\0b",
      price: { currencyCode: "EUR", units: 1n },
    };
    const sku = `nul-${randomUUID()}`;

    const refusals = await Promise.all([
      refusalOf(shop.client.inventory.createProduct({ sku, product })),
      refusalOf(
        shop.client.events.listDeadLetters({ group: "order-timeline\0" }),
      ),
    ]);

    const invalid = { code: "InvalidArgument", reason: "INVALID_FIELD" };
    expect(refusals).toMatchObject([
      { ...invalid, fields: ["product.title"] },
      // The edge takes no NUL in a query of REST.
      kind.startsWith("REST")
        ? { code: "InvalidArgument", reason: "MALFORMED_REQUEST" }
        : { ...invalid, fields: ["group"] },
    ]);
  });

  it("may not use a request id for another order", async () => {
    using shop = await openShop(kind);
    const requestId = randomUUID();
    await shop.settled(shop.order(1, "tok_visa", { requestId }));

    const refusal = await refusalOf(
      shop.client.orders.createOrder(shop.order(2, "tok_visa", { requestId })),
    );

    expect(refusal).toEqual({
      code: "InvalidArgument",
      reason: "REQUEST_ID_REUSED",
      domain: "weft.dev",
      metadata: { request_id: requestId },
      fields: ["request_id"],
    });
    expect(await shop.stock()).toMatchObject({ sold: 1n });
  });

  it("may not create a product twice", async () => {
    using shop = await openShop(kind);
    const product = {
      title: "again",
      price: { currencyCode: "EUR", units: 1n },
    };

    const refusal = await refusalOf(
      shop.client.inventory.createProduct({ sku: shop.sku, product }),
    );

    expect(refusal).toMatchObject({
      code: "AlreadyExists",
      reason: "PRODUCT_EXISTS",
    });
  });

  it.each(["getOrder", "cancelOrder", "watchOrders"] as const)(
    "is told by %s that there is no such order",
    async (method) => {
      using shop = await openShop(kind);
      const name = `orders/${randomUUID()}`;
      const { orders } = shop.client;

      const refusal = await refusalOf(
        method === "watchOrders"
          ? Array.fromAsync(orders.watchOrders({ name }))
          : orders[method]({ name }),
      );

      expect(refusal).toEqual({
        code: "NotFound",
        reason: "ORDER_NOT_FOUND",
        domain: "weft.dev",
        metadata: { order: name },
        fields: [],
      });
    },
  );
});
