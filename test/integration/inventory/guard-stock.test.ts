import { ROOT_CONTEXT } from "@opentelemetry/api";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  confirm,
  release,
  type Reservation,
} from "../../../services/inventory/domain/reservation.ts";
import { findReservations } from "../../../services/inventory/store/reservations.ts";
import {
  confirmTogether,
  releaseTogether,
} from "../../../services/inventory/store/settle-together.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  eventsOf,
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

test.for(["available", "reserved", "sold"])(
  "the database itself refuses to let %s fall below zero",
  async (column) => {
    const world = setup();
    const sku = await world.addProduct(1);

    const update = world.db.query(
      `update stock set ${column} = ${column} - 2 where sku = $1`,
      [sku],
    );

    await expect(update).rejects.toThrow(`stock_${column}_check`);
  },
);

test("leaves nothing behind when a reservation fails in its last statement", async () => {
  const world = setup();
  const sku = await world.addProduct(5);
  const request = reserveRequest({ [sku]: 1 });
  await world.db.query(
    "alter table stock add constraint nothing_reserved check (reserved = 0) not valid",
  );

  const failed = world.order().reserve(request);

  await expect(failed).rejects.toThrow("internal");
  await world.db.query("alter table stock drop constraint nothing_reserved");
  const { rows } = await world.db.query<{ found: bigint }>(
    `select
       (select count(*) from reservations where id = $1)
       + (select count(*) from reservation_lines where reservation_id = $1)
       + (select count(*) from outbox where aggregate_id = $2) as found`,
    [request.reservationId, request.order.slice("orders/".length)],
  );
  expect(rows).toEqual([{ found: 0n }]);
  expect(await stockOf(world, sku)).toEqual([5, 0, 0]);
});

test("settles a reservation once, though others have read it as held", async () => {
  const world = setup();
  const { tenant, db, deps } = world;
  const sku = await world.addProduct(5);
  const [ours, other] = [{ [sku]: 2 }, { [sku]: 2 }].map(reserveRequest);
  for (const each of [ours, other]) await world.order().reserve(each ?? {});
  const id = ours?.reservationId ?? "";
  const [held] = await findReservations(db, [{ tenant, id }]);
  if (held === undefined) throw new Error("nothing is held");
  const released = release(held, held.order, deps.now());
  const confirmed = confirm(held, deps.now());
  const settled = (
    type: "StockReleased" | "StockConfirmed",
    reservation: Reservation,
  ) => [
    {
      reservation,
      event: deps.announceTogether.row({ type, reservation }, ROOT_CONTEXT),
    },
  ];

  const moved = [
    await releaseTogether(db, settled("StockReleased", released)),
    await releaseTogether(db, settled("StockReleased", released)),
    await confirmTogether(db, settled("StockConfirmed", confirmed)),
  ];

  expect(moved.map(({ size }) => size)).toEqual([1, 0, 0]);
  expect(await stockOf(world, sku)).toEqual([3, 2, 0]);
  const events = await eventsOf(world, held.order.slice("orders/".length));
  expect(events.map(({ type }) => type)).toEqual([
    "StockReserved",
    "StockReleased",
  ]);
});
