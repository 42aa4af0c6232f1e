import { ROOT_CONTEXT } from "@opentelemetry/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  followOrders,
  type OrderHappening,
} from "../../../services/inventory/app/follow-orders.ts";
import { hasSqlState } from "../../../services/platform/data/database-errors.ts";
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
  const { tenant } = world;
  const placed = placedOrder(tenant, id, sku);
  const tell = (...happenings: OrderHappening[]) => tellOf(world, happenings);
  return {
    world,
    sku,
    id,
    byEvent: {
      reserve: () => tell({ kind: "placed", placed }),
      confirm: () => tell({ kind: "authorized", tenant, id }),
      release: () => tell({ kind: "declined", tenant, id }),
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

function placedOrder(tenant: string, id: string, sku: string) {
  return {
    tenant,
    id,
    order: `orders/${id}`,
    lines: [{ sku, quantity: 1 }],
    ttlMs: 60_000,
    expectedTotal: undefined,
    sealedPaymentToken: new Uint8Array([1]),
  };
}

/** Tells of what happened in one batch: again, as its consumer would, where somebody else held a row for too long. */
async function tellOf(
  { db, deps }: World,
  happenings: readonly OrderHappening[],
): Promise<void> {
  const news = happenings.map((each) => ({ ...each, cause: ROOT_CONTEXT }));
  for (;;) {
    try {
      return await db.transaction((tx) => followOrders(deps, tx, news));
    } catch (error) {
      if (!hasSqlState(error, "55P03")) throw error;
    }
  }
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

      const [event, call] = await Promise.allSettled([
        byEvent.reserve(),
        byCall.reserve(),
      ]);

      expect(event.status).toBe("fulfilled");
      expect(call.status).toBe("rejected");
      expect(await stockOf(world, sku)).toEqual([0, 0, 0]);
      expect(await typesOf(world, id)).toEqual(["StockRefused"]);
    },
  );
});

describe("a batch of what happened to choreographed orders", () => {
  /** A shop, and happenings of orders of one mug each. */
  async function setupShop(stock: number) {
    const world = setupWorld(database);
    const { tenant } = world;
    const sku = await world.addProduct(stock);
    const newOrder = (of = sku) => {
      const id = newId();
      return {
        id,
        placed: {
          kind: "placed",
          placed: placedOrder(tenant, id, of),
        } as const,
        authorized: { kind: "authorized", tenant, id } as const,
        declined: { kind: "declined", tenant, id } as const,
      };
    };
    return {
      world,
      sku,
      newOrder,
      tell: (...happenings: OrderHappening[]) => tellOf(world, happenings),
    };
  }

  test("holds, sells and gives back", async () => {
    const { world, sku, newOrder, tell } = await setupShop(10);
    const [paid, declined, late, later] = Array.from({ length: 4 }, () =>
      newOrder(),
    );
    if (!paid || !declined || !late || !later) throw new Error("no orders");
    await tell(paid.placed, declined.placed);

    await tell(late.placed, declined.declined, paid.authorized, later.placed);

    expect(await stockOf(world, sku)).toEqual([7, 2, 1]);
    expect(await typesOf(world, paid.id)).toEqual([
      "StockReserved",
      "StockConfirmed",
    ]);
    expect(await typesOf(world, declined.id)).toEqual([
      "StockReserved",
      "StockReleased",
    ]);
    expect(await eventsOf(world, late.id)).toMatchObject([
      { type: "StockReserved", message: { choreographed: true } },
    ]);
  });

  test("takes what happened to one order one after the other", async () => {
    const { world, sku, newOrder, tell } = await setupShop(10);
    const [order, other] = [newOrder(), newOrder()];

    await tell(order.placed, other.placed, order.authorized, order.authorized);

    expect(await stockOf(world, sku)).toEqual([8, 1, 1]);
    expect(await typesOf(world, order.id)).toEqual([
      "StockReserved",
      "StockConfirmed",
    ]);
  });

  test("refuses those that come when nothing is left, and no others", async () => {
    const { world, sku, newOrder, tell } = await setupShop(2);
    const orders = Array.from({ length: 4 }, () => newOrder());

    await tell(...orders.map(({ placed }) => placed));

    expect(await stockOf(world, sku)).toEqual([0, 2, 0]);
    const types = await Promise.all(orders.map(({ id }) => typesOf(world, id)));
    expect(types).toEqual([
      ["StockReserved"],
      ["StockReserved"],
      ["StockRefused"],
      ["StockRefused"],
    ]);
  });

  test("refuses what can't be had beside what can", async () => {
    const { world, sku, newOrder, tell } = await setupShop(5);
    const [good, unknown, unpaid] = [
      newOrder(),
      newOrder("no-such-product"),
      newOrder(),
    ];

    await tell(unknown.placed, good.placed, unpaid.authorized);

    expect(await stockOf(world, sku)).toEqual([4, 1, 0]);
    expect(await typesOf(world, good.id)).toEqual(["StockReserved"]);
    expect(await typesOf(world, unknown.id)).toEqual(["StockRefused"]);
    expect(await typesOf(world, unpaid.id)).toEqual(["StockRefused"]);
  });
});
