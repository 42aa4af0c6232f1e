import { expect, test } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { leaseMs } from "../../../services/order/app/drive-order.ts";
import type { Step } from "../../../services/order/domain/saga.ts";
import { eventually } from "../../support/eventually.ts";
import {
  eventsOf,
  idOf,
  inState,
  placed,
  read,
  setupWorld,
  twoMugs,
} from "./order-world.ts";

const forward = ["reserve", "authorize", "confirm", "capture"] as const;

test.each<Step>([...forward])(
  "another process takes over from one that died in %s, and nothing happens twice",
  async (step) => {
    const world = await setupWorld();
    const { participants } = world;
    const held = participants.hold(step);
    const first = world.start();
    const order = await placed(first.user());
    await held.reached;
    first.die();
    held.open();

    const second = world.start();
    world.pass(leaseMs);
    const settled = await inState(second.user(), order.name, State.COMPLETED);

    expect(participants.stepsOf(idOf(order))).toEqual(
      forward.flatMap((each) => (each === step ? [each, each] : [each])),
    );
    expect(participants.accountOf(idOf(order))).toEqual({
      stock: "sold",
      payment: "captured",
    });
    expect(settled.etag).toBe('"5"');
    expect(await eventsOf(world, idOf(order))).toHaveLength(3);
  },
);

test("nobody takes over an order before its lease has run out", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const held = participants.hold("reserve");
  const first = world.start();
  const order = await placed(first.user());
  await held.reached;

  const second = world.start();
  world.pass(leaseMs - 5_000);
  // A whole other order goes through the second process meanwhile.
  await placed(second.user(), { ...twoMugs(), wait: true });

  expect(participants.stepsOf(idOf(order))).toEqual(["reserve"]);
  held.open();
  await inState(second.user(), order.name, State.COMPLETED);
});

test("a driver that was only slow and its successor do no harm together", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const held = participants.hold("authorize");
  const slow = world.start();
  const order = await placed(slow.user());
  await held.reached;

  const successor = world.start();
  world.pass(leaseMs);
  await inState(successor.user(), order.name, State.COMPLETED);
  held.open();
  await slow.stop();

  expect(participants.stepsOf(idOf(order))).toEqual([
    "reserve",
    "authorize",
    "authorize",
    "confirm",
    "capture",
  ]);
  expect(await eventsOf(world, idOf(order))).toHaveLength(3);
});

test("a driver that was only slow leaves the order to its successor", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const late = participants.hold("authorize");
  const slow = world.start({ drivers: 1, pollMs: 60_000 });
  const order = await placed(slow.user());
  await late.reached;
  const ahead = participants.hold("confirm");
  const successor = world.start();
  world.pass(leaseMs);
  await ahead.reached;

  late.open();
  await eventually("the slow driver is free", () => {
    using driver = slow.deps.drivers.reserve();
    return driver !== undefined;
  });
  const steps = participants.stepsOf(idOf(order));
  ahead.open();
  await inState(successor.user(), order.name, State.COMPLETED);

  expect(steps).toEqual(["reserve", "authorize", "authorize", "confirm"]);
});

test("three processes share what is due, and each order is announced once", async () => {
  const world = await setupWorld();
  const placing = world.start({ drivers: 1 });
  const names = await Promise.all(
    Array.from({ length: 40 }, async () => (await placed(placing.user())).name),
  );

  world.start({ drivers: 4 });
  world.start({ drivers: 4 });
  for (const name of names) {
    await inState(placing.user(), name, State.COMPLETED);
  }

  for (const name of names) {
    expect(world.participants.stepsOf(idOf({ name }))).toEqual(forward);
  }
  const { rows } = await world.db.query<{ count: bigint }>(
    `select count(*) as count from outbox`,
  );
  expect(rows[0]?.count).toBe(120n);
});

test("a process that stops finishes the step under way and hands the order over, due at once", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const held = participants.hold("authorize");
  const first = world.start();
  const order = await placed(first.user());
  await held.reached;

  const stopped = first.stop();
  held.open();
  await stopped;
  const handedOver = await read(first.user(), order.name);
  const second = world.start();
  await inState(second.user(), order.name, State.COMPLETED);

  expect(handedOver.state).toBe(State.AUTHORIZED);
  expect(participants.stepsOf(idOf(order))).toEqual(forward);
});

test("a process that is told to hurry does not wait for the step under way", async () => {
  const world = await setupWorld();
  const held = world.participants.hold("reserve");
  const process = world.start();
  const order = await placed(process.user());
  await held.reached;
  process.die();

  await process.deps.drivers.done(AbortSignal.abort());

  expect((await read(process.user(), order.name)).state).toBe(State.PLACED);
});

test("more orders than drivers wait in the database, and go on as drivers become free", async () => {
  const world = await setupWorld();
  const { participants } = world;
  // The poll alone would need minutes for them.
  const process = world.start({ drivers: 2, pollMs: 60_000 });
  const held = [participants.hold("reserve")];
  const first = await placed(process.user());
  await held[0]?.reached;
  held.push(participants.hold("reserve"));
  const second = await placed(process.user());
  await held[1]?.reached;

  const waiting = await Promise.all(
    Array.from({ length: 20 }, () => placed(process.user())),
  );
  const callsMeanwhile = participants.calls.length;
  held.forEach(({ open }) => open());
  for (const { name } of [first, second, ...waiting]) {
    await inState(process.user(), name, State.COMPLETED);
  }

  expect(callsMeanwhile).toBe(2);
});

test("never drives more orders at a time than it may, wherever they come from", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const process = world.start({ drivers: 3 });

  const orders = await Promise.all(
    Array.from({ length: 30 }, () => placed(process.user())),
  );
  for (const { name } of orders) {
    await inState(process.user(), name, State.COMPLETED);
  }

  let underWay = 0;
  let most = 0;
  for (const { step } of participants.calls) {
    if (step === "reserve") underWay += 1;
    if (step === "capture") underWay -= 1;
    most = Math.max(most, underWay);
  }
  expect(most).toBe(3);
});

test("an order outlives a database that was away while it was driven", async () => {
  const world = await setupWorld();
  const { participants } = world;
  const held = participants.hold("authorize");
  const process = world.start();
  const order = await placed(process.user());
  await held.reached;
  await world.db.query(`alter table orders rename to orders_away`);

  held.open();
  await eventually("the driver gave up", () =>
    process.logged.includes("driving failed"),
  );
  await world.db.query(`alter table orders_away rename to orders`);
  world.pass(leaseMs);
  await inState(process.user(), order.name, State.COMPLETED);

  expect(participants.accountOf(idOf(order)).payment).toBe("captured");
});
