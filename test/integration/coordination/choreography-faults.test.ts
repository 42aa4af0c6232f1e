import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startWorld, type World } from "./coordination-world.ts";
import { expectNothingHeld, expectSold, stockOf } from "./look-behind.ts";
import { idOf, meddleWithEvents, type Meddler } from "./meddle-with-events.ts";
import { addProduct, place, requestsOf, until } from "./place-and-follow.ts";

const PLACED = "weft.order.v1.OrderPlaced";
const RESERVED = "weft.inventory.v1.StockReserved";
const REFUSED = "weft.inventory.v1.StockRefused";
const CONFIRMED = "weft.inventory.v1.StockConfirmed";
const RELEASED = "weft.inventory.v1.StockReleased";
const AUTHORIZED = "weft.payment.v1.PaymentAuthorized";
const CAPTURED = "weft.payment.v1.PaymentCaptured";
const DECLINED = "weft.payment.v1.PaymentDeclined";

let world: World;
let events: Meddler;

beforeAll(async () => {
  world = await startWorld();
  events = await meddleWithEvents(world);
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

const request = requestsOf(Coordination.CHOREOGRAPHED);

function untilReserved(sku: string): Promise<void> {
  return eventually(
    "its stock is reserved",
    async () => (await stockOf(world, sku))[1] === 1,
  );
}

describe("a choreographed order", () => {
  test.each([PLACED, RESERVED, AUTHORIZED, CONFIRMED, CAPTURED])(
    "that loses its %s completes by calls",
    async (type) => {
      const sku = await addProduct(world, 10);
      await events.hold(type);

      const { name } = await place(world.orders, request(sku));
      const order = await until(world.orders, name, State.COMPLETED, 60_000);
      await events.letGo(name, false);

      expect(order.total).toMatchObject({ units: 10n });
      await expectSold(world, name, sku);
    },
    90_000,
  );

  test.each([
    [REFUSED, { quantity: 11 }, "OUT_OF_STOCK"],
    [REFUSED, { expected: 11 }, "PRICE_CHANGED"],
    [DECLINED, { token: "tok_declined" }, "PAYMENT_DECLINED"],
    [RELEASED, { token: "tok_declined" }, "PAYMENT_DECLINED"],
  ])(
    "that is refused and loses its %s (%o) gives all back by calls, and tells why",
    async (type, more, reason) => {
      const sku = await addProduct(world, 10);
      await events.hold(type);

      const { name } = await place(world.orders, request(sku, more));
      const order = await until(world.orders, name, State.REJECTED, 60_000);
      await events.letGo(name, false);

      expect(order.failure?.reason).toBe(reason);
      await expectNothingHeld(world, name, sku);
    },
    90_000,
  );

  test("whose events all come twice is reserved once and charged once", async () => {
    const sku = await addProduct(world, 10);
    await events.double();

    const { name } = await place(world.orders, request(sku));
    await until(world.orders, name, State.COMPLETED);
    await events.letGo(name, false);

    await expectSold(world, name, sku);
  });

  test("stays as it is when its events come again, in any order", async () => {
    const sku = await addProduct(world, 10);
    const { name } = await place(world.orders, request(sku));
    const { etag } = await until(world.orders, name, State.COMPLETED);

    await events.repeat(name);
    // Orders placed later share the partitions: when they are through, so are the repeated events.
    const next = await place(world.orders, request(sku));
    await until(world.orders, next.name, State.COMPLETED);

    expect(await stockOf(world, sku)).toEqual([8, 0, 2]);
    expect(await world.moneyOf(name)).toMatchObject({
      authorizations: 1,
      captures: 1,
    });
    expect((await world.orders.getOrder({ name })).order?.etag).toBe(etag);
  });

  test("that is refused stays so when its events come again", async () => {
    const sku = await addProduct(world, 10);
    const { name } = await place(
      world.orders,
      request(sku, { token: "tok_declined" }),
    );
    await until(world.orders, name, State.REJECTED);

    await events.repeat(name);
    await settleAnother();

    await expectNothingHeld(world, name, sku);
  });

  test("whose total is not the expected one is refused, and nothing is charged", async () => {
    const sku = await addProduct(world, 10);

    const { name } = await place(world.orders, request(sku, { expected: 9 }));
    const order = await until(world.orders, name, State.REJECTED);

    expect(order.failure?.reason).toBe("PRICE_CHANGED");
    await expectNothingHeld(world, name, sku);
    expect((await world.moneyOf(name)).authorizations).toBe(0);
  });

  test("whose total is not the expected one is refused by calls as well, and late events change nothing", async () => {
    const sku = await addProduct(world, 10);
    await events.hold(PLACED);

    const { name } = await place(world.orders, request(sku, { expected: 9 }));
    const order = await until(world.orders, name, State.REJECTED, 60_000);
    await events.letGo(name, true);
    await settleAnother();

    expect(order.failure?.reason).toBe("PRICE_CHANGED");
    await expectNothingHeld(world, name, sku);
  }, 90_000);

  test("whose reservation expires before it is paid is refused, and its payment let go", async () => {
    const sku = await addProduct(world, 10);
    await events.hold(RESERVED);

    const { name } = await place(world.orders, request(sku));
    await untilReserved(sku);
    await world.administer(
      "update inventory.reservations set expires_at = now() where id = $1",
      [idOf(name)],
    );
    await eventually(
      "it is expired",
      async () => (await stockOf(world, sku))[0] === 10,
    );
    await events.letGo(name, true);
    const order = await until(world.orders, name, State.REJECTED, 60_000);
    await settleAnother();

    expect(order.failure?.reason).toBe("RESERVATION_EXPIRED");
    await expectNothingHeld(world, name, sku);
  }, 90_000);
});

/** Another order goes through the same topics: what was on its way before has arrived by then. */
async function settleAnother(): Promise<void> {
  const sku = await addProduct(world, 10);
  const { name } = await place(world.orders, request(sku));
  await until(world.orders, name, State.COMPLETED);
}

describe("a cancellation of a choreographed order", () => {
  test.each([PLACED, RESERVED])(
    "that overtakes its %s gives all back",
    async (type) => {
      const sku = await addProduct(world, 10);
      await events.hold(type);

      const { name } = await place(world.orders, request(sku));
      if (type === RESERVED) await untilReserved(sku);
      await world.orders.cancelOrder({ name });
      await events.letGo(name, true);
      await until(world.orders, name, State.CANCELLED);
      await settleAnother();

      await expectNothingHeld(world, name, sku);
    },
  );

  test("that is cut off by a crash is carried out all the same", async () => {
    const sku = await addProduct(world, 10);
    await events.hold(RESERVED);
    const { name } = await place(world.orders, request(sku));
    await untilReserved(sku);
    world.process("inventory").pause();

    const cutOff = world.orders.cancelOrder({ name }).catch(() => undefined);
    await until(world.orders, name, State.CANCELLING);
    await world.process("order").kill();
    world.process("inventory").resume();
    await world.start("order");
    await cutOff;
    await events.letGo(name, true);

    await until(world.orders, name, State.CANCELLED, 60_000);
    await expectNothingHeld(world, name, sku);
  }, 90_000);

  test("is refused past its pivot", async () => {
    const sku = await addProduct(world, 10);
    const { name } = await place(world.orders, request(sku));
    await until(world.orders, name, State.COMPLETED);

    await expect(world.orders.cancelOrder({ name })).rejects.toThrow(
      /failed_precondition/,
    );
    await expectSold(world, name, sku);
  });

  test("at any moment cancels all of it or nothing", async () => {
    const cases = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const sku = await addProduct(world, 10);
        const { name } = await place(world.orders, request(sku));
        await pause(index * 15);
        const isCancelled = await world.orders.cancelOrder({ name }).then(
          () => true,
          () => false,
        );
        return { sku, name, isCancelled };
      }),
    );

    for (const { sku, name, isCancelled } of cases) {
      if (isCancelled) {
        await until(world.orders, name, State.CANCELLED, 60_000);
        await expectNothingHeld(world, name, sku);
      } else {
        await until(world.orders, name, State.COMPLETED, 60_000);
        await expectSold(world, name, sku);
      }
    }
  }, 120_000);
});
