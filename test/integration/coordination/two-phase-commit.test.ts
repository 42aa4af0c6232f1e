import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startWorld, type World } from "./coordination-world.ts";
import {
  expectNothingHeld,
  expectSold,
  inDoubt,
  stockOf,
} from "./look-behind.ts";
import { addProduct, place, requestsOf, until } from "./place-and-follow.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

const request = requestsOf(Coordination.TWO_PHASE_COMMIT);

/** Places an order whose coordinator has all votes and can't store its decision until `open`. */
async function undecided(sku: string) {
  const lock = await world.lock("orders.transaction_decisions");
  const { name } = await place(world.orders, request(sku));
  await eventually(
    "both branches are prepared",
    async () => (await inDoubt(world)).length === 2,
  );
  return { name, open: () => lock.open() };
}

/** What it has sent would still take effect: a statement that is under way outlives its client. */
async function killCoordinator() {
  await world.process("order").kill();
  await world.administer(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'weft_order'",
  );
}

async function decisionOf(name: string) {
  const [row] = await world.administer<{ epoch: string }>(
    "select epoch from orders.transaction_decisions where order_id = $1",
    [name.slice("orders/".length)],
  );
  return row && BigInt(row.epoch);
}

describe("an order of two-phase commit", () => {
  test("is sold and paid for at once, by a decision that is stored", async () => {
    const sku = await addProduct(world, 10);

    const { name, coordination } = await place(world.orders, request(sku));
    const order = await until(world.orders, name, State.COMPLETED);

    expect(coordination).toBe(Coordination.TWO_PHASE_COMMIT);
    expect(order).toMatchObject({
      total: { currencyCode: "EUR", units: 10n },
      lines: [{ sku, quantity: 1, unitPrice: { units: 10n } }],
    });
    expect(await decisionOf(name)).toBe(1n);
    await expectSold(world, name, sku);
  });

  test.each([
    ["is declined", "tok_declined", 1, "PAYMENT_DECLINED"],
    ["asks for more than there is", "tok_visa", 11, "OUT_OF_STOCK"],
    ["is declined and short", "tok_declined", 11, ""],
  ])("that %s leaves nothing behind", async (_, token, quantity, reason) => {
    const sku = await addProduct(world, 10);

    const { name } = await place(
      world.orders,
      request(sku, { token, quantity }),
    );
    const order = await until(world.orders, name, State.REJECTED);

    if (reason) expect(order.failure?.reason).toBe(reason);
    await expectNothingHeld(world, name, sku);
    expect(await decisionOf(name)).toBeUndefined();
  });

  test("for a product that nobody knows is refused before anybody prepares", async () => {
    const { name } = await place(world.orders, request("no-such-product"));
    const order = await until(world.orders, name, State.REJECTED);

    expect(order.failure).toMatchObject({
      reason: "UNKNOWN_SKU",
      metadata: { sku: "no-such-product" },
    });
  });

  test("that is cancelled while its votes are counted is cancelled for good", async () => {
    const sku = await addProduct(world, 10);
    const lock = await world.lock("inventory.stock");
    const { name } = await place(world.orders, request(sku));

    await world.orders.cancelOrder({ name });
    await lock.open();
    await until(world.orders, name, State.CANCELLED);

    await eventually(
      "nothing is in doubt",
      async () => (await inDoubt(world)).length === 0,
    );
    await expectNothingHeld(world, name, sku);
  });

  test("is one order however often its request is sent", async () => {
    const sku = await addProduct(world, 10);
    const same = request(sku);

    const names = await Promise.all(
      Array.from({ length: 10 }, () =>
        place(world.orders, same).then(
          ({ name }) => name,
          () => undefined,
        ),
      ),
    );
    const { name } = await place(world.orders, same);
    await until(world.orders, name, State.COMPLETED);

    expect(new Set(names.filter(Boolean))).toEqual(new Set([name]));
    await expectSold(world, name, sku);
  });

  test("whose provider answers too late is asked again, and charged once", async () => {
    const sku = await addProduct(world, 10);

    const { name } = await place(
      world.orders,
      request(sku, { token: "tok_late_once" }),
    );
    await until(world.orders, name, State.COMPLETED, 60_000);

    await expectSold(world, name, sku);
  }, 90_000);

  test("that is in doubt holds up nobody else who changes its product's stock", async () => {
    const sku = await addProduct(world, 10);
    const { name, open } = await undecided(sku);

    await world.inventory.adjustStock({
      name: `products/${sku}`,
      delta: 5n,
      reason: "restock",
      requestId: randomUUID(),
    });
    const doubts = await inDoubt(world);
    const stock = await stockOf(world, sku);
    await open();

    expect(doubts).toHaveLength(2);
    expect(stock).toEqual([14, 1, 0]);
    await until(world.orders, name, State.COMPLETED);
    expect(await stockOf(world, sku)).toEqual([14, 0, 1]);
  }, 90_000);

  test("shares a product with many others and never sells it twice", async () => {
    const sku = await addProduct(world, 5);

    const placed = await Promise.all(
      Array.from({ length: 12 }, () => place(world.orders, request(sku))),
    );
    const settled = await Promise.all(
      placed.map(async ({ name }) => {
        await eventually(
          `${name} is settled`,
          async () => {
            const { order } = await world.orders.getOrder({ name });
            return order?.settleTime !== undefined;
          },
          60_000,
        );
        return (await world.orders.getOrder({ name })).order?.state;
      }),
    );

    expect(settled.filter((state) => state === State.COMPLETED)).toHaveLength(
      5,
    );
    expect(await stockOf(world, sku)).toEqual([0, 0, 5]);
    expect(await inDoubt(world)).toEqual([]);
  }, 90_000);
});

describe("a crash", () => {
  test("of the coordinator before its decision: the next one prepares again and commits once", async () => {
    const sku = await addProduct(world, 10);
    const { name, open } = await undecided(sku);

    await killCoordinator();
    await open();
    await world.start("order");
    await until(world.orders, name, State.COMPLETED);

    expect(await decisionOf(name)).toBeGreaterThan(1);
    await expectSold(world, name, sku);
  }, 90_000);

  test("that takes the order with it: what it left prepared is rolled back by a sweep", async () => {
    const sku = await addProduct(world, 10);
    const { name, open } = await undecided(sku);

    await killCoordinator();
    await world.administer("delete from orders.orders where id = $1", [
      name.slice("orders/".length),
    ]);
    await open();
    const orphans = await inDoubt(world);
    await world.start("order");
    await eventually(
      "nothing is in doubt",
      async () => (await inDoubt(world)).length === 0,
    );

    expect(orphans).toHaveLength(2);
    // In nobody's name, as nobody knows whose it was: its units are free when they run out, like the hold on the card.
    expect(await stockOf(world, sku)).toEqual([9, 1, 0]);
    const [reservation] = await world.administer<{ ends: boolean }>(
      "select expires_at is not null as ends from inventory.reservations where order_name = $1",
      [name],
    );
    expect(reservation?.ends).toBe(true);
  }, 90_000);

  test("of everybody after the decision: both branches are committed within ten seconds", async () => {
    const sku = await addProduct(world, 10);
    const { name, open } = await undecided(sku);

    world.process("inventory").pause();
    world.process("payment").pause();
    await open();
    await eventually(
      "the decision is stored",
      async () => (await decisionOf(name)) === 1n,
    );
    await Promise.all(
      (["order", "inventory", "payment"] as const).map((service) =>
        world.process(service).kill(),
      ),
    );
    const doubts = await inDoubt(world);
    for (const service of ["inventory", "payment", "order"] as const) {
      await world.start(service);
    }
    await eventually(
      "nothing is in doubt",
      async () => (await inDoubt(world)).length === 0,
      10_000,
    );
    await until(world.orders, name, State.COMPLETED);

    expect(doubts).toHaveLength(2);
    await expectSold(world, name, sku);
  }, 90_000);

  test("of Postgres while branches are prepared loses none and doubles none", async () => {
    const sku = await addProduct(world, 10);
    const { name } = await undecided(sku);

    await world.crashPostgres();
    const survived = await inDoubt(world);
    await until(world.orders, name, State.COMPLETED, 60_000);

    expect(survived.length).toBeGreaterThan(0);
    await expectSold(world, name, sku);
  }, 120_000);
});

test("a coordinator that was paused, and comes back when another has decided, changes nothing", async () => {
  const sku = await addProduct(world, 10);
  const rival = await world.startRival();
  const lock = await world.lock("payment.payments");
  const { name } = await place(rival.orders, request(sku));
  await eventually("its stock is prepared", async () =>
    (await inDoubt(world)).some((gid) => gid.includes("inventory")),
  );

  rival.process.pause();
  await lock.open();
  await until(world.orders, name, State.COMPLETED);
  rival.process.resume();
  await eventually(
    "the one that was paused answers again",
    async () => (await rival.orders.getOrder({ name })).order !== undefined,
  );

  const order = await until(rival.orders, name, State.COMPLETED);
  expect(order.settleTime).toBeDefined();
  expect(await decisionOf(name)).toBeGreaterThan(1);
  await expectSold(world, name, sku);
  await rival.process.kill();
}, 90_000);
