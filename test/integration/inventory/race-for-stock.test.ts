import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
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

const TTL_SECONDS = 60;
const setup = () => setupWorld(database);

test("sells the last unit to one of two buyers", async () => {
  const world = setup();
  const sku = await world.addProduct(1);

  const outcomes = await Promise.allSettled([
    world.order().reserve(reserveRequest({ [sku]: 1 })),
    world.order().reserve(reserveRequest({ [sku]: 1 })),
  ]);

  const won = outcomes.filter(({ status }) => status === "fulfilled");
  expect(won).toHaveLength(1);
  expect(await stockOf(world, sku)).toEqual([0, 1, 0]);
});

test("never oversells a product that 200 orders want at once", async () => {
  const world = setup();
  const sku = await world.addProduct(100);

  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () =>
      world.order().reserve(reserveRequest({ [sku]: 1 })),
    ),
  );

  const won = outcomes.filter(({ status }) => status === "fulfilled").length;
  expect(won).toBe(100);
  const [refused] = outcomes.filter(({ status }) => status === "rejected");
  const reason = refused?.status === "rejected" ? refused.reason : undefined;
  expect(await refusalOf(Promise.reject(reason))).toMatchObject({
    reason: "OUT_OF_STOCK",
    metadata: { available: "0" },
  });
  expect(await stockOf(world, sku)).toEqual([0, 100, 0]);
});

test("serves orders that name the same products in opposite order", async () => {
  const world = setup();
  const deadlocks = await deadlockCounter(database);
  const one = await world.addProduct(1_000);
  const two = await world.addProduct(1_000);

  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, async (_, index) => {
      const skus = index % 2 === 0 ? [one, two] : [two, one];
      const request = reserveRequest(
        Object.fromEntries(skus.map((sku) => [sku, 1])),
      );
      await world.order().reserve(request);
      const name = `reservations/${request.reservationId}`;
      if (index % 3 === 0) {
        await world.order().release({ name, order: request.order });
      } else {
        await world.order().confirm({ name });
      }
    }),
  );

  expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
  expect(await stockOf(world, one)).toEqual([960, 0, 40]);
  expect(await stockOf(world, two)).toEqual([960, 0, 40]);
  // A deadlock would be retried, and so hidden from the outcomes.
  expect(await deadlocks()).toBe(0);
});

test("sells or gives back, never both, when a confirmation meets the sweeper", async () => {
  // A database of its own: the sweeper takes whatever it finds.
  const own = await setupDatabase({ service: "inventory" });
  onTestFinished(() => own.close());
  const world = setupWorld(own);
  const sku = await world.addProduct(20);
  const requests = Array.from({ length: 20 }, () => ({
    ...reserveRequest({ [sku]: 1 }),
    ttl: { seconds: 1n },
  }));
  for (const request of requests) await world.order().reserve(request);

  // Time passes while the calls are under way, so some come before the end and some after.
  const outcomes = await Promise.allSettled(
    requests.flatMap((request, index) => {
      const name = `reservations/${request.reservationId}`;
      if (index === 10) world.pass(1_000);
      return [world.order().confirm({ name }), world.sweep(3)];
    }),
  );
  world.pass(1_000);
  await world.sweep();

  const confirmed = outcomes.filter(
    (outcome) =>
      outcome.status === "fulfilled" && typeof outcome.value === "object",
  ).length;
  expect(await stockOf(world, sku)).toEqual([20 - confirmed, 0, confirmed]);
});

test("keeps available + reserved + sold equal to what was brought in, whatever happens at once", async () => {
  const own = await setupDatabase({ service: "inventory" });
  onTestFinished(() => own.close());
  const world = setupWorld(own);
  const skus = [
    await world.addProduct(30),
    await world.addProduct(30),
    await world.addProduct(30),
  ];

  await Promise.allSettled(
    Array.from({ length: 80 }, (_, index) => {
      // Reservations that the others just make run out under their hands.
      if (index % 10 === 0) world.pass(TTL_SECONDS * 1_000);
      return doSomething(world, skus, index);
    }),
  );

  for (const sku of skus) {
    const brought = await broughtIn(world, sku);
    const stock = await stockOf(world, sku);
    expect(stock.reduce((sum, units) => sum + units)).toBe(brought);
    expect(stock).toEqual([
      brought - (await unitsIn(world, sku, ["held", "confirmed"])),
      await unitsIn(world, sku, ["held"]),
      await unitsIn(world, sku, ["confirmed"]),
    ]);
  }
});

/** One of the things that can happen to the stock, by turns. */
async function doSomething(world: World, skus: string[], index: number) {
  const [one = "", two = ""] = [skus[index % 3], skus[(index + 1) % 3]];
  if (index % 8 === 7) {
    const name = `products/${one}`;
    const delta = index % 16 === 7 ? 5n : -3n;
    await world.user().adjustStock({ name, delta, requestId: randomUUID() });
    return;
  }
  const request = {
    ...reserveRequest({ [one]: 1, [two]: 2 }),
    ttl: { seconds: BigInt(TTL_SECONDS) },
  };
  const name = `reservations/${request.reservationId}`;
  await world.order().reserve(request);
  const { order } = request;
  if (index % 4 === 0) await world.order().confirm({ name });
  if (index % 4 === 1) await world.order().release({ name, order });
  if (index % 4 === 2) {
    world.pass(TTL_SECONDS * 500);
    await Promise.allSettled([
      world.order().confirm({ name }),
      world.order().release({ name, order }),
      world.sweep(5),
    ]);
  }
}

async function broughtIn(world: World, sku: string): Promise<number> {
  const { rows } = await world.db.query<{ units: string }>(
    `select sum(delta) as units
     from stock_movements
     where tenant = $1
       and sku = $2`,
    [world.tenant, sku],
  );
  return Number(rows[0]?.units);
}

async function unitsIn(
  world: World,
  sku: string,
  states: string[],
): Promise<number> {
  const { rows } = await world.db.query<{ units: bigint }>(
    `select coalesce(sum(quantity), 0) as units
     from reservation_lines as line
     join reservations on reservations.tenant = line.tenant
       and reservations.id = line.reservation_id
     where line.tenant = $1
       and line.sku = $2
       and reservations.state = any($3)`,
    [world.tenant, sku, states],
  );
  return Number(rows[0]?.units);
}

/** Counts the deadlocks that Postgres broke in this database from now on. */
async function deadlockCounter(
  tested: TestDatabase,
): Promise<() => Promise<number>> {
  const { db } = setupWorld({ ...tested, url: tested.adminUrl });
  const count = async () => {
    // Backends report within a second by themselves; the one that asks reports at once, and reads afresh.
    await db.query("select pg_stat_force_next_flush()");
    const { rows } = await db.query<{ deadlocks: bigint }>(
      `select deadlocks
       from pg_stat_database
       where datname = current_database()`,
    );
    return Number(rows[0]?.deadlocks);
  };
  const before = await count();
  return async () => (await count()) - before;
}
