import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Reservation_State as State } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  eventsOf,
  refusalOf,
  reserveRequest,
  setupWorld,
  stockOf,
  type World,
} from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

describe("reservations in batches", () => {
  it("are made, confirmed and released by fewer transactions than there are", async () => {
    const world = setupWorld(database);
    const sku = await world.addProduct(100);

    const requests = await reserveMany(world, sku, 40);
    expect(await transactionsOf(world)).toBeLessThan(40);
    await Promise.all(
      requests.map(({ reservationId, order }, index) => {
        const name = `reservations/${reservationId}`;
        return index % 2 === 0
          ? world.order().confirm({ name })
          : world.order().release({ name, order });
      }),
    );

    expect(await transactionsOf(world)).toBeLessThan(40);
    expect(await stockOf(world, sku)).toEqual([80, 0, 20]);
  });

  it("tell of each in the order of its key", async () => {
    const world = setupWorld(database);
    const sku = await world.addProduct(100);

    const requests = await reserveMany(world, sku, 10);
    await Promise.all(
      requests.map(({ reservationId }) =>
        world.order().confirm({ name: `reservations/${reservationId}` }),
      ),
    );

    for (const { order } of requests) {
      const events = await eventsOf(world, order.slice("orders/".length));
      expect(events.map(({ type }) => type)).toEqual([
        "StockReserved",
        "StockConfirmed",
      ]);
    }
  });

  it("are made where stock suffices, whatever falls short beside them", async () => {
    const world = setupWorld(database);
    const plenty = await world.addProduct(100);
    const scarce = await world.addProduct(1);
    const order = world.order();

    const ends = await Promise.allSettled([
      order.reserve(reserveRequest({ [plenty]: 1 })),
      order.reserve(reserveRequest({ [plenty]: 1, [scarce]: 1 })),
      order.reserve(reserveRequest({ [scarce]: 1 })),
      order.reserve(reserveRequest({ unknown: 1 })),
      order.reserve(reserveRequest({ [plenty]: 1 })),
    ]);

    const made = ends.filter(({ status }) => status === "fulfilled");
    expect(made).toHaveLength(3);
    expect(await stockOf(world, scarce)).toEqual([0, 1, 0]);
    const [available = 0, reserved = 0] = await stockOf(world, plenty);
    expect(available + reserved).toBe(100);
  });

  it("wait for a locked product alone", async () => {
    const world = setupWorld(database);
    const locked = await world.addProduct(1);
    const free = await world.addProduct(1);
    const order = world.order();
    let waiting: Promise<unknown> = Promise.resolve();

    await world.db.transaction(async (tx) => {
      await tx.query("select from stock where sku = $1 for update", [locked]);
      waiting = order.reserve(reserveRequest({ [locked]: 1 }));

      const { reservation } = await order.reserve(
        reserveRequest({ [free]: 1 }),
      );

      expect(reservation?.state).toBe(State.HELD);
      expect(await stockOf(world, locked)).toEqual([1, 0, 0]);
    });

    await waiting;
    expect(await stockOf(world, locked)).toEqual([0, 1, 0]);
  });

  it("know a product that was created after it was asked for in vain", async () => {
    const world = setupWorld(database);
    const request = reserveRequest({ late: 1 });
    const refused = await refusalOf(world.order().reserve(request));
    expect(refused.reason).toBe("UNKNOWN_SKU");

    await world.addProduct(1, { sku: "late" });

    const { reservation } = await world.order().reserve(request);
    expect(reservation?.state).toBe(State.HELD);
  });
});

async function reserveMany(world: World, sku: string, count: number) {
  const requests = Array.from({ length: count }, () =>
    reserveRequest({ [sku]: 1 }),
  );
  await Promise.all(requests.map((request) => world.order().reserve(request)));
  return requests;
}

/** How many transactions wrote the reservations as they are now. */
async function transactionsOf(world: World): Promise<number> {
  const { rows } = await world.db.query<{ count: bigint }>(
    "select count(distinct xmin::text) as count from reservations where tenant = $1",
    [world.tenant],
  );
  return Number(rows[0]?.count);
}
