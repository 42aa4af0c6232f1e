import { expect, onTestFinished, test } from "vitest";
import { Reservation_State } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { setupDatabase } from "../../support/database.ts";
import {
  eventsOf,
  refusalOf,
  reserveRequest,
  setupWorld,
  stockOf,
} from "./inventory-world.ts";

const MINUTE = 60_000;

/** A world in which 2 of 5 units are held, in a database of its own: a sweep takes whatever it finds. */
async function setup() {
  const database = await setupDatabase({ service: "inventory" });
  onTestFinished(() => database.close());
  const world = setupWorld(database);
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 2 });
  await world.order().reserve(request);
  const name = `reservations/${request.reservationId}`;
  const { order } = request;
  const events = async () =>
    (await eventsOf(world, order.slice("orders/".length))).map(
      (event) => event.type,
    );
  return { world, sku, request, name, order, events };
}

test("sells a held reservation once", async () => {
  const { world, sku, name, events } = await setup();

  const answers = [
    await world.order().confirm({ name }),
    await world.order().confirm({ name }),
  ];

  for (const { reservation } of answers) {
    expect(reservation?.state).toBe(Reservation_State.CONFIRMED);
  }
  expect(await stockOf(world, sku)).toEqual([3, 0, 2]);
  expect(await events()).toEqual(["StockReserved", "StockConfirmed"]);
});

test("gives a held reservation back once", async () => {
  const { world, sku, name, order, events } = await setup();

  const answers = [
    await world.order().release({ name, order }),
    await world.order().release({ name, order }),
  ];

  for (const { reservation } of answers) {
    expect(reservation?.state).toBe(Reservation_State.RELEASED);
  }
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
  expect(await events()).toEqual(["StockReserved", "StockReleased"]);
});

test("gives back once when released by many at the same time", async () => {
  const { world, sku, name, order } = await setup();

  await Promise.all(
    Array.from({ length: 8 }, () => world.order().release({ name, order })),
  );

  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
});

test("does not give back what is sold", async () => {
  const { world, sku, name, order } = await setup();
  await world.order().confirm({ name });

  const refusal = await refusalOf(world.order().release({ name, order }));

  expect(refusal).toMatchObject({
    code: "FailedPrecondition",
    reason: "RESERVATION_CONFIRMED",
  });
  expect(await stockOf(world, sku)).toEqual([3, 0, 2]);
});

test("does not sell what was given back", async () => {
  const { world, name, order } = await setup();
  await world.order().release({ name, order });

  const refusal = await refusalOf(world.order().confirm({ name }));

  expect(refusal).toMatchObject({
    code: "FailedPrecondition",
    reason: "RESERVATION_RELEASED",
  });
});

test("does not give back for another order", async () => {
  const { world, sku, name } = await setup();
  const { order } = reserveRequest({});

  const refusal = await refusalOf(world.order().release({ name, order }));

  expect(refusal.reason).toBe("RESERVATION_CONFLICT");
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
});

test("refuses the Reserve that comes after its Release", async () => {
  const { world, sku } = await setup();
  const late = reserveRequest({ [sku]: 1 });
  const name = `reservations/${late.reservationId}`;

  const { reservation } = await world
    .order()
    .release({ name, order: late.order });
  const refusal = await refusalOf(world.order().reserve(late));

  expect(reservation).toMatchObject({
    name,
    state: Reservation_State.RELEASED,
    lines: [],
  });
  expect(reservation?.total).toBeUndefined();
  expect(refusal).toMatchObject({
    code: "FailedPrecondition",
    reason: "RESERVATION_RELEASED",
  });
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
});

test("holds nothing after a Reserve and its Release met", async () => {
  const { world, sku } = await setup();

  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const request = reserveRequest({ [sku]: 1 });
      const name = `reservations/${request.reservationId}`;
      await Promise.allSettled([
        world.order().reserve(request),
        world.order().release({ name, order: request.order }),
      ]);
      await world.order().release({ name, order: request.order });
    }),
  );

  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
});

test("gives back what ran out, once, and says so", async () => {
  const { world, sku, name, order, events } = await setup();
  world.pass(16 * MINUTE);

  const swept = [await world.sweep(), await world.sweep()];
  const released = await world.order().release({ name, order });

  expect(swept).toEqual([1, 0]);
  expect(released.reservation?.state).toBe(Reservation_State.EXPIRED);
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
  expect(await events()).toEqual(["StockReserved", "ReservationExpired"]);
});

test("leaves alone what has time left, and what is sold", async () => {
  const { world, sku, name } = await setup();
  world.pass(14 * MINUTE);
  const early = await world.sweep();
  await world.order().confirm({ name });
  world.pass(2 * MINUTE);

  const late = await world.sweep();

  expect([early, late]).toEqual([0, 0]);
  expect(await stockOf(world, sku)).toEqual([3, 0, 2]);
});

test("does not sell what ran out, swept or not", async () => {
  const { world, sku, name, request } = await setup();
  world.pass(16 * MINUTE);

  const before = await refusalOf(world.order().confirm({ name }));
  await world.sweep();
  const after = await refusalOf(world.order().confirm({ name }));
  const again = await refusalOf(world.order().reserve(request));

  for (const refusal of [before, after, again]) {
    expect(refusal).toMatchObject({
      code: "FailedPrecondition",
      reason: "RESERVATION_EXPIRED",
    });
  }
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
});

test("sweeps products that several reservations share, with several sweepers", async () => {
  const { world, sku } = await setup();
  const other = await world.addProduct(100);
  await Promise.all(
    Array.from({ length: 3 }, () =>
      world.order().reserve(reserveRequest({ [sku]: 1, [other]: 7 })),
    ),
  );
  world.pass(16 * MINUTE);

  const swept = await Promise.all([
    world.sweep(2),
    world.sweep(2),
    world.sweep(2),
  ]);

  expect(swept.reduce((sum, count) => sum + count)).toBe(4);
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
  expect(await stockOf(world, other)).toEqual([100, 0, 0]);
});
