import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  clientKinds,
  connectToEdge,
  type ClientKind,
} from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { send } from "../support/edge-http.ts";
import { tokenFor } from "../support/edge-token.ts";
import { eventually } from "../support/eventually.ts";
import { openShop } from "../support/mesh-shop.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("sees no order and no payment of another tenant", async () => {
    using shop = await openShop(kind);
    using globex = await connectAs(kind, "globex");
    const { name, payment } = await shop.settled(shop.order(1));

    const refusals = await Promise.all([
      refusalOf(globex.orders.getOrder({ name })),
      refusalOf(globex.orders.cancelOrder({ name })),
      refusalOf(Array.fromAsync(globex.orders.watchOrders({ name }))),
      refusalOf(globex.payments.getPayment({ name: payment })),
    ]);
    const { orders } = await globex.orders.listOrders({ pageSize: 500 });
    const { payments } = await globex.payments.listPayments({ order: name });

    expect(refusals).toMatchObject([
      { code: "NotFound", reason: "ORDER_NOT_FOUND" },
      { code: "NotFound", reason: "ORDER_NOT_FOUND" },
      { code: "NotFound", reason: "ORDER_NOT_FOUND" },
      { code: "NotFound", reason: "PAYMENT_NOT_FOUND" },
    ]);
    expect(orders.map((order) => order.name)).not.toContain(name);
    expect(payments).toEqual([]);
  });

  it("may do what its token's scopes say, and no more", async () => {
    using shop = await openShop(kind);
    using auditor = await connectAs(kind, "auditor");
    const { name } = await shop.settled(shop.order(1));

    const { order } = await auditor.orders.getOrder({ name });
    const refusal = await refusalOf(auditor.orders.cancelOrder({ name }));

    expect(order?.name).toBe(name);
    expect(refusal).toEqual({
      code: "PermissionDenied",
      reason: "SCOPE_MISSING",
      domain: "weft.dev",
      metadata: { scope: "orders:write" },
      fields: [],
    });
  });
});

it("is the customer of its orders under its own name", async () => {
  const { edge, directory } = meshUnderTest();
  const token = await tokenFor(directory, { user: "alice" });
  using shop = await openShop();

  const answer = await send(edge, {
    version: 2,
    method: "POST",
    path: "/v1/orders?wait=true",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(shop.order(1).order),
  });

  expect(answer.json()).toMatchObject({
    customer: "alice",
    state: "STATE_COMPLETED",
  });
});

it("leaves its token in no log, no span and no answer", async () => {
  const { edge, directory } = meshUnderTest();
  const token = await tokenFor(directory, { user: "demo" });
  const [, claims = "", signature = ""] = token.split(".");
  using client = connectToEdge({ ...edge, token }, "gRPC");
  using rest = connectToEdge({ ...edge, token }, "REST over HTTP/2");

  const { orders } = await client.orders.listOrders({ pageSize: 1 });
  await rest.inventory.listProducts({});
  const refused = await send(
    { ...edge, token },
    { version: 2, path: `/v1/orders?access_token=${token}` },
  );

  await eventually("the access log has the calls", async () =>
    (await logsOf(directory)).includes('"path":"/v1/orders"'),
  );
  await eventually("Jaeger has the calls", async () =>
    (await spansOf()).includes("GET /v1/products"),
  );
  const told = (await logsOf(directory)) + (await spansOf()) + refused.text;
  expect(orders.length).toBeLessThan(2);
  expect(told).not.toContain(claims);
  expect(told).not.toContain(signature);
});

async function connectAs(kind: ClientKind, user: string) {
  const { edge, directory } = meshUnderTest();
  const token = await tokenFor(directory, { user });
  return connectToEdge({ ...edge, token }, kind);
}

async function logsOf(directory: string): Promise<string> {
  const folder = `${directory}/logs`;
  const files = await readdir(folder);
  const texts = files.map((file) => readFile(`${folder}/${file}`, "utf8"));
  return (await Promise.all(texts)).join("\n");
}

/** The latest traces of every service, as Jaeger tells them. */
async function spansOf(): Promise<string> {
  const { jaegerQueryUrl } = meshUnderTest();
  const services = ["edge", "order", "inventory", "payment"];
  const answers = await Promise.all(
    services.map((service) =>
      fetch(`${jaegerQueryUrl}/api/traces?service=${service}&limit=50`),
    ),
  );
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  return texts.join("\n");
}
