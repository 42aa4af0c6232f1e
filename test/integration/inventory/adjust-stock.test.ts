import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventsOf, refusalOf, setupWorld, stockOf } from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

test("brings stock in and writes it off, and says so in order", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const name = `products/${sku}`;

  const { product } = await world.user().adjustStock({
    name,
    delta: 10n,
    reason: "delivery",
    requestId: randomUUID(),
  });
  await world.user().adjustStock({ name, delta: -4n, requestId: randomUUID() });

  expect(product?.stock).toMatchObject({ available: 15n });
  expect(product?.etag).toBe('"2"');
  expect(await stockOf(world, sku)).toEqual([11, 0, 0]);
  const [, first, second] = await eventsOf(world, sku);
  expect(first).toMatchObject({
    type: "StockAdjusted",
    message: { product, delta: 10n, reason: "delivery" },
  });
  expect(second).toMatchObject({ message: { delta: -4n } });
});

test("adjusts once for one request id, however often it comes", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = {
    name: `products/${sku}`,
    delta: 1n,
    requestId: randomUUID(),
  };

  await Promise.all(
    Array.from({ length: 8 }, () => world.user().adjustStock(request)),
  );
  const refusal = await refusalOf(
    world.user().adjustStock({ ...request, delta: 2n }),
  );

  expect(await stockOf(world, sku)).toEqual([6, 0, 0]);
  expect(await eventsOf(world, sku)).toHaveLength(2);
  expect(refusal.reason).toBe("REQUEST_ID_REUSED");
});

test("does not write off more than is available", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = {
    name: `products/${sku}`,
    delta: -6n,
    requestId: randomUUID(),
  };

  const refusal = await refusalOf(world.user().adjustStock(request));
  await world.user().adjustStock({
    ...request,
    delta: 1n,
    requestId: randomUUID(),
  });
  const again = await refusalOf(world.user().adjustStock(request));
  await world.user().adjustStock({ ...request, requestId: randomUUID() });

  // The first answer to a request is its answer, also where another one would succeed by now.
  expect(again).toEqual(refusal);
  expect(refusal).toEqual({
    code: "FailedPrecondition",
    reason: "OUT_OF_STOCK",
    metadata: { sku, requested: "6", available: "5" },
  });
  expect(await stockOf(world, sku)).toEqual([0, 0, 0]);
});
