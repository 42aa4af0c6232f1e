import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  confirmForPayment,
  releaseForPayment,
  reserveForOrder,
} from "../../../services/inventory/app/follow-order.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  eventsOf,
  setupWorld,
  stockOf,
  type World,
} from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

/** Two things that happen at once, several times over: whichever is first, the end is one of a few. */
const ROUNDS = Array.from({ length: 4 }, (_, round) => round);

/** An order of one mug, and what may be done about it: by events, and by calls of the order's own service. */
async function setup(stock = 5) {
  const world = setupWorld(database);
  const sku = await world.addProduct(stock);
  const id = newId();
  const order = `orders/${id}`;
  const { tenant, deps } = world;
  const key = { tenant, orderId: id };
  const inTransaction = <T>(
    work: (tx: Parameters<typeof reserveForOrder>[1]) => Promise<T>,
  ) => world.db.transaction(work);
  const placed = {
    tenant,
    id,
    order,
    lines: [{ sku, quantity: 1 }],
    ttlMs: 60_000,
    expectedTotal: undefined,
    sealedPaymentToken: new Uint8Array([1]),
  };
  return {
    world,
    sku,
    id,
    byEvent: {
      reserve: () => inTransaction((tx) => reserveForOrder(deps, tx, placed)),
      confirm: () => inTransaction((tx) => confirmForPayment(deps, tx, key)),
      release: () => inTransaction((tx) => releaseForPayment(deps, tx, key)),
    },
    byCall: {
      reserve: () =>
        world.order().reserve({
          reservationId: id,
          order,
          lines: placed.lines,
        }),
      confirm: () => world.order().confirm({ name: `reservations/${id}` }),
      release: () =>
        world.order().release({ name: `reservations/${id}`, order }),
    },
  };
}

async function typesOf(world: World, id: string): Promise<string[]> {
  return (await eventsOf(world, id)).map(({ type }) => type);
}

describe("the stock of a choreographed order", () => {
  test.each(ROUNDS)(
    "is held once where its event and its order's call reserve at once (%i)",
    async () => {
      const { world, sku, id, byEvent, byCall } = await setup();

      await Promise.all([byEvent.reserve(), byCall.reserve()]);

      expect(await stockOf(world, sku)).toEqual([4, 1, 0]);
      const announced = await eventsOf(world, id);
      expect(announced.map(({ type }) => type)).toContain("StockReserved");
      expect(announced).toContainEqual(
        expect.objectContaining({
          message: expect.objectContaining({ choreographed: true }),
        }),
      );
    },
  );

  test.each(ROUNDS)(
    "is sold or given back, never both, where a payment confirms it and its customer cancels at once (%i)",
    async () => {
      const { world, sku, id, byEvent, byCall } = await setup();
      await byEvent.reserve();

      const [, release] = await Promise.allSettled([
        byEvent.confirm(),
        byCall.release(),
      ]);

      const types = await typesOf(world, id);
      if (release.status === "fulfilled") {
        expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
        expect(types).not.toContain("StockConfirmed");
        expect(types).toContain("StockRefused");
      } else {
        expect(await stockOf(world, sku)).toEqual([4, 0, 1]);
        expect(types).toEqual(["StockReserved", "StockConfirmed"]);
      }
    },
  );

  test.each(ROUNDS)(
    "is sold once where its event and its order's call confirm at once (%i)",
    async () => {
      const { world, sku, id, byEvent, byCall } = await setup();
      await byEvent.reserve();

      await Promise.all([byEvent.confirm(), byCall.confirm()]);

      expect(await stockOf(world, sku)).toEqual([4, 0, 1]);
      const types = await typesOf(world, id);
      expect(types.filter((type) => type === "StockConfirmed")).toHaveLength(1);
    },
  );

  test.each(ROUNDS)(
    "is given back once where a declined payment and its customer do so at once (%i)",
    async () => {
      const { world, sku, id, byEvent, byCall } = await setup();
      await byEvent.reserve();

      await Promise.all([byEvent.release(), byCall.release()]);

      expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
      const types = await typesOf(world, id);
      expect(types.filter((type) => type === "StockReleased")).toHaveLength(1);
    },
  );

  test.each(ROUNDS)(
    "is not held where its customer cancels while it is being reserved (%i)",
    async () => {
      const { world, sku, byEvent, byCall } = await setup();

      await Promise.all([byEvent.reserve(), byCall.release()]);

      expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
    },
  );

  test.each(ROUNDS)(
    "that ran out is refused to the call as to the event, whichever comes first (%i)",
    async () => {
      const { world, sku, id, byEvent, byCall } = await setup(0);

      const [, call] = await Promise.allSettled([
        byEvent.reserve(),
        byCall.reserve(),
      ]);

      expect(call.status).toBe("rejected");
      expect(await stockOf(world, sku)).toEqual([0, 0, 0]);
      expect(await typesOf(world, id)).toEqual(["StockRefused"]);
    },
  );
});
