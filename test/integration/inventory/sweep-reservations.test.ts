import { expect, onTestFinished, test } from "vitest";
import { sweepReservations } from "../../../services/inventory/app/sweep-reservations.ts";
import { setupDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { reserveRequest, setupWorld, stockOf } from "./inventory-world.ts";

async function setup() {
  const database = await setupDatabase({ service: "inventory" });
  onTestFinished(() => database.close());
  const world = setupWorld(database);
  const stop = new AbortController();
  const sweep = (announce = world.deps.announce) => {
    const sweeping = sweepReservations(
      { ...world.deps, announce, logger: silentLogger, intervalMs: 20 },
      stop.signal,
    );
    onTestFinished(async () => {
      stop.abort();
      await sweeping;
    });
    return sweeping;
  };
  return { world, stop, sweep };
}

test("gives back whatever runs out, more than a batch of it, until it is stopped", async () => {
  const { world, stop, sweep } = await setup();
  const sku = await world.addProduct(200);
  for (let made = 0; made < 60; made += 1) {
    await world.order().reserve(reserveRequest({ [sku]: 2 }));
  }
  const sweeping = sweep();

  world.pass(16 * 60_000);

  await eventually("all is given back", async () => {
    const [available] = await stockOf(world, sku);
    return available === 200;
  });
  stop.abort();
  await expect(sweeping).resolves.toBeUndefined();
});

test("goes on after a failure, which gives nothing back", async () => {
  const { world, sweep } = await setup();
  const sku = await world.addProduct(5);
  await world.order().reserve(reserveRequest({ [sku]: 2 }));
  world.pass(16 * 60_000);
  const seen: number[][] = [];

  void sweep(async (tx, event) => {
    seen.push(await stockOf(world, sku));
    if (seen.length < 3) throw new Error("the outbox refuses");
    await world.deps.announce(tx, event);
  });

  await eventually("the stock is given back", async () => {
    const [available] = await stockOf(world, sku);
    return available === 5;
  });
  expect(seen).toEqual([
    [3, 2, 0],
    [3, 2, 0],
    [3, 2, 0],
  ]);
});
