import { create } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { StockReservedSchema } from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import type { Order } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { onOrderEvent } from "../../../services/order/events/on-order-event.ts";
import {
  newEvent,
  toRecord,
} from "../../../services/platform/events/cloud-event.ts";
import { startConsumer } from "../../../services/platform/events/consumer.ts";
import { startRelay } from "../../../services/platform/events/relay.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { setupEventBus } from "../../support/event-bus.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { idOf, placed, read, setupWorld, twoMugs } from "./order-world.ts";

/** A world whose events go through Kafka and come back. */
async function setup() {
  const world = await setupWorld();
  const user = world.start().user();
  const bus = setupEventBus();
  const { db } = world;
  const relay = startRelay({
    db,
    bus,
    logger: silentLogger,
    source: "/weft/order",
  });
  const consumer = startConsumer({
    db,
    bus,
    logger: silentLogger,
    group: "order-timeline",
    handlers: onOrderEvent({ now: world.now }),
  });
  onTestFinished(async () => {
    await consumer.stop();
    await relay.stop();
    await bus.close();
  });
  return { world, user, bus };
}

const typesOf = (order: Order) => order.timeline.map(({ type }) => type);

test("an order's timeline has each of its events once, though Kafka brings one twice", async () => {
  const { world, user, bus } = await setup();
  const order = await placed(user, { ...twoMugs(), wait: true });
  const reserved = toRecord(
    {
      source: "/weft/inventory",
      ...newEvent(StockReservedSchema, create(StockReservedSchema), {
        aggregateId: idOf(order),
        tenant: world.tenant,
        occurredAt: new Date(),
      }),
    },
    { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  );
  await bus.produce([reserved]);
  await bus.produce([reserved]);
  const last = { ...reserved, headers: { ...reserved.headers } };
  last.headers["ce_id"] = newId();
  await bus.produce([last]);

  let current = order;
  await eventually(
    "the last event is there",
    async () => {
      current = await read(user, order.name);
      return current.timeline.length >= 5;
    },
    25_000,
  );

  expect(typesOf(current)).toEqual([
    "weft.order.v1.OrderPlaced",
    "weft.order.v1.OrderConfirmed",
    "weft.order.v1.OrderCompleted",
    "weft.inventory.v1.StockReserved",
    "weft.inventory.v1.StockReserved",
  ]);
  expect(new Set(current.timeline.map(({ eventId }) => eventId)).size).toBe(5);
  expect(current.timeline[0]).toMatchObject({
    source: "/weft/order",
    eventTime: order.createTime,
  });
  expect(order.timeline).toEqual([]);
});

test("a list of orders carries no timelines", async () => {
  const { user } = await setup();
  const order = await placed(user, { ...twoMugs(), wait: true });
  await eventually(
    "the timeline is there",
    async () => (await read(user, order.name)).timeline.length === 3,
    25_000,
  );

  const { orders } = await user.listOrders({});

  expect(orders.map(({ timeline }) => timeline)).toEqual([[]]);
});
