import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { startWorld, type World } from "./coordination-world.ts";
import { expectNothingHeld, expectSold } from "./look-behind.ts";
import { addProduct, place, requestsOf, until } from "./place-and-follow.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

const request = requestsOf(Coordination.CHOREOGRAPHED);

describe("a choreographed order", () => {
  test("is reserved, authorized, confirmed and captured by events alone", async () => {
    const sku = await addProduct(world, 10);

    const { name, coordination } = await place(world.orders, request(sku));
    const order = await until(world.orders, name, State.COMPLETED);

    expect(coordination).toBe(Coordination.CHOREOGRAPHED);
    expect(order).toMatchObject({
      total: { currencyCode: "EUR", units: 10n },
      lines: [{ sku, quantity: 1, unitPrice: { units: 10n } }],
    });
    await expectSold(world, name, sku);
  });

  test.each([
    ["is declined", "tok_declined", 1, "PAYMENT_DECLINED"],
    ["asks for more than there is", "tok_visa", 11, "OUT_OF_STOCK"],
  ])("that %s leaves nothing behind", async (_, token, quantity, reason) => {
    const sku = await addProduct(world, 10);

    const { name } = await place(
      world.orders,
      request(sku, { token, quantity }),
    );
    const order = await until(world.orders, name, State.REJECTED);

    expect(order.failure?.reason).toBe(reason);
    await expectNothingHeld(world, name, sku);
  });

  test("for a product that nobody knows is refused by an event", async () => {
    const { name } = await place(world.orders, request("no-such-product"));
    const order = await until(world.orders, name, State.REJECTED);

    expect(order.failure).toMatchObject({ reason: "UNKNOWN_SKU" });
  });

  test("carries its payment token sealed, and nowhere in clear", async () => {
    const sku = await addProduct(world, 10);
    const token = "tok_visa";

    const { name } = await place(world.orders, request(sku, { token }));
    await until(world.orders, name, State.COMPLETED);
    const rows = await world.administer<{ payload: Buffer }>(
      `select payload from orders.outbox where aggregate_id = $1
       union all
       select payload from inventory.outbox where aggregate_id = $1`,
      [name.slice("orders/".length)],
    );

    expect(rows.length).toBeGreaterThan(2);
    expect(rows.some(({ payload }) => payload.includes(token))).toBe(false);
  });

  test("survives a SIGKILL of every service", async () => {
    const sku = await addProduct(world, 10);
    const { name } = await place(world.orders, request(sku));

    for (const service of ["inventory", "payment", "order"] as const) {
      await world.process(service).kill();
      await world.start(service);
    }
    await until(world.orders, name, State.COMPLETED, 60_000);

    await expectSold(world, name, sku);
  }, 120_000);
});
