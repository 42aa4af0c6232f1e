import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventsOf, refusalOf, setupWorld } from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

function mug(sku: string) {
  return {
    sku,
    product: {
      title: "A blue mug",
      description: "Holds 300 ml.",
      price: { currencyCode: "EUR", units: 12n, nanos: 500_000_000 },
    },
    openingStock: 7n,
  };
}

test("creates a product that can then be read", async () => {
  const world = setup();
  const sku = `mug-${randomUUID()}`;

  const { product: created } = await world.user().createProduct(mug(sku));
  const { product } = await world
    .user()
    .getProduct({ name: `products/${sku}` });

  expect(product).toEqual(created);
  expect(product).toMatchObject({
    name: `products/${sku}`,
    sku,
    title: "A blue mug",
    description: "Holds 300 ml.",
    price: { currencyCode: "EUR", units: 12n, nanos: 500_000_000 },
    stock: { available: 7n, reserved: 0n, sold: 0n },
    etag: '"1"',
  });
  expect(product?.createTime).toBeDefined();
  expect(await eventsOf(world, sku)).toMatchObject([
    { type: "ProductCreated", message: { product } },
  ]);
});

test("creates once when the same request comes again or twice at the same time", async () => {
  const world = setup();
  const request = { ...mug(`mug-${randomUUID()}`), requestId: randomUUID() };

  const answers = await Promise.all([
    world.user().createProduct(request),
    world.user().createProduct(request),
  ]);
  const again = await world.user().createProduct(request);

  for (const { product } of answers) expect(product).toEqual(again.product);
  expect(await eventsOf(world, request.sku)).toHaveLength(1);
});

test("refuses a second product of the same SKU in one tenant, not in another", async () => {
  const world = setup();
  const sku = `mug-${randomUUID()}`;
  await world.user().createProduct(mug(sku));

  const refusal = await refusalOf(world.user().createProduct(mug(sku)));
  await world.user(`${world.tenant}-other`).createProduct(mug(sku));

  expect(refusal).toEqual({
    code: "AlreadyExists",
    reason: "PRODUCT_EXISTS",
    metadata: { sku },
  });
});

test("refuses a request id that was used for another product", async () => {
  const world = setup();
  const request = { ...mug(`mug-${randomUUID()}`), requestId: randomUUID() };
  await world.user().createProduct(request);

  const refusal = await refusalOf(
    world.user().createProduct({ ...request, openingStock: 8n }),
  );

  expect(refusal).toMatchObject({
    code: "InvalidArgument",
    reason: "REQUEST_ID_REUSED",
    metadata: { request_id: request.requestId },
  });
});

test.for([
  ["a fraction of a cent", { currencyCode: "EUR", units: 1n, nanos: 1 }],
  ["half a yen", { currencyCode: "JPY", units: 1n, nanos: 500_000_000 }],
  ["a currency that nobody has", { currencyCode: "XQX", units: 1n }],
] as const)("refuses %s as a price", async ([, price]) => {
  const world = setup();
  const request = mug(`mug-${randomUUID()}`);

  const refusal = await refusalOf(
    world
      .user()
      .createProduct({ ...request, product: { ...request.product, price } }),
  );

  expect(refusal).toEqual({
    code: "InvalidArgument",
    reason: "PRICE_INVALID",
    metadata: { currency: price.currencyCode },
  });
});

test("hides a product from other tenants", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const stranger = world.user(`${world.tenant}-other`);
  const name = `products/${sku}`;

  const refusals = [
    await refusalOf(stranger.getProduct({ name })),
    await refusalOf(stranger.batchGetProducts({ names: [name] })),
    await refusalOf(
      stranger.adjustStock({ name, delta: 1n, requestId: randomUUID() }),
    ),
  ];
  const { products } = await stranger.listProducts({});

  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "NotFound",
      reason: "PRODUCT_NOT_FOUND",
    });
  }
  expect(products).toEqual([]);
});
