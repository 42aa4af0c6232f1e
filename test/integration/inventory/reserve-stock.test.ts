import { afterAll, beforeAll, expect, test } from "vitest";
import { Reservation_State } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  eventsOf,
  refusalOf,
  reserveRequest,
  setupWorld,
  stockOf,
} from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

test("holds every line at the prices of the moment", async () => {
  const world = setup();
  const mug = await world.addProduct(5, { currency: "EUR", units: 10n });
  const pen = await world.addProduct(5, { currency: "EUR", units: 3n });
  const request = reserveRequest({ [mug]: 2, [pen]: 1 });

  const { reservation } = await world.order().reserve(request);

  expect(reservation).toMatchObject({
    name: `reservations/${request.reservationId}`,
    order: request.order,
    state: Reservation_State.HELD,
    total: { currencyCode: "EUR", units: 23n, nanos: 0 },
  });
  const lines = reservation?.lines.map((line) => [
    line.sku,
    line.quantity,
    line.unitPrice?.units,
  ]);
  const [ofMug, ofPen] = [
    [mug, 2, 10n],
    [pen, 1, 3n],
  ];
  expect(lines).toEqual(mug < pen ? [ofMug, ofPen] : [ofPen, ofMug]);
  expect(await stockOf(world, mug)).toEqual([3, 2, 0]);
  expect(await stockOf(world, pen)).toEqual([4, 1, 0]);
});

test("holds for 15 minutes unless told otherwise", async () => {
  const world = setup();
  const sku = await world.addProduct(5);

  const usual = await world.order().reserve(reserveRequest({ [sku]: 1 }));
  const short = await world
    .order()
    .reserve({ ...reserveRequest({ [sku]: 1 }), ttl: { seconds: 60n } });

  const seconds = [usual, short].map(
    ({ reservation }) =>
      Number(reservation?.expireTime?.seconds) -
      Number(reservation?.createTime?.seconds),
  );
  expect(seconds).toEqual([900, 60]);
});

test("holds nothing when one line falls short, and says which", async () => {
  const world = setup();
  const plenty = await world.addProduct(100);
  const scarce = await world.addProduct(2);
  const request = reserveRequest({ [plenty]: 5, [scarce]: 3 });

  const refusal = await refusalOf(world.order().reserve(request));

  expect(refusal).toEqual({
    code: "FailedPrecondition",
    reason: "OUT_OF_STOCK",
    metadata: { sku: scarce, requested: "3", available: "2" },
  });
  expect(await stockOf(world, plenty)).toEqual([100, 0, 0]);
  expect(await stockOf(world, scarce)).toEqual([2, 0, 0]);
  const name = `reservations/${request.reservationId}`;
  expect(await refusalOf(world.order().getReservation({ name }))).toMatchObject(
    { reason: "RESERVATION_NOT_FOUND" },
  );
  expect(await eventsOf(world, request.order.slice(7))).toEqual([]);
});

test("refuses a product that does not exist", async () => {
  const world = setup();
  const sku = await world.addProduct(5);

  const refusal = await refusalOf(
    world.order().reserve(reserveRequest({ [sku]: 1, "no-such": 1 })),
  );

  expect(refusal).toEqual({
    code: "FailedPrecondition",
    reason: "UNKNOWN_SKU",
    metadata: { sku: "no-such" },
  });
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
});

test("refuses products of two currencies in one reservation", async () => {
  const world = setup();
  const euros = await world.addProduct(5, { currency: "EUR", units: 1n });
  const yen = await world.addProduct(5, { currency: "JPY", units: 100n });

  const refusal = await refusalOf(
    world.order().reserve(reserveRequest({ [euros]: 1, [yen]: 1 })),
  );

  expect(refusal).toMatchObject({
    reason: "MIXED_CURRENCIES",
    metadata: { currencies: "EUR,JPY" },
  });
});

test("reserves once however often and however concurrently it is asked", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 2 });

  const answers = await Promise.all(
    Array.from({ length: 10 }, () => world.order().reserve(request)),
  );

  const totals = new Set(
    answers.map((answer) => answer.reservation?.total?.units),
  );
  expect([...totals]).toEqual([20n]);
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
  expect(await eventsOf(world, request.order.slice(7))).toHaveLength(1);
});

test("returns the reservation again when the stock has run out since", async () => {
  const world = setup();
  const sku = await world.addProduct(1);
  const request = reserveRequest({ [sku]: 1 });
  await world.order().reserve(request);

  const again = await world.order().reserve(request);

  expect(again.reservation?.state).toBe(Reservation_State.HELD);
});

test("refuses a reservation id that was used for something else", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 2 });
  await world.order().reserve(request);

  const refusals = await Promise.all(
    [
      { ...request, lines: [{ sku, quantity: 3 }] },
      { ...request, order: reserveRequest({}).order },
    ].map((other) => refusalOf(world.order().reserve(other))),
  );

  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "InvalidArgument",
      reason: "RESERVATION_CONFLICT",
    });
  }
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
});

test("takes a reservation id in capitals as the same id", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 2 });
  await world.order().reserve(request);

  const reservationId = request.reservationId.toUpperCase();
  const again = await world.order().reserve({ ...request, reservationId });

  expect(again.reservation?.name).toBe(`reservations/${request.reservationId}`);
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
});

test("keeps tenants apart: the same reservation id, and nothing to see or to take", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 1 });
  await world.order().reserve(request);
  const stranger = world.order(`${world.tenant}-other`);
  const name = `reservations/${request.reservationId}`;

  const reserved = await refusalOf(stranger.reserve(request));
  const confirmed = await refusalOf(stranger.confirm({ name }));
  const seen = await refusalOf(stranger.getReservation({ name }));
  await stranger.release({ name, order: request.order });

  expect(reserved.reason).toBe("UNKNOWN_SKU");
  expect(confirmed).toMatchObject({
    code: "NotFound",
    reason: "RESERVATION_NOT_FOUND",
  });
  expect(seen.reason).toBe("RESERVATION_NOT_FOUND");
  expect(await stockOf(world, sku)).toEqual([4, 1, 0]);
});
