import { Code, ConnectError } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { Order_Coordination as Coordination } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventDeadlineMs } from "../../../services/order/app/drive-order.ts";
import type { Step } from "../../../services/order/domain/order.ts";
import { eventually } from "../../support/eventually.ts";
import {
  idOf,
  placed,
  setupWorld,
  twoMugs,
  type OrderClient,
  type World,
} from "./order-world.ts";

describe("more orders than can be settled", () => {
  test("are refused early with a retry time; all that are accepted are settled", async () => {
    const world = await setupWorld();
    const process = world.start({ drivers: 2, maxWaiting: 3 });
    const held = world.participants.hold("reserve");
    const user = process.user();

    const ends = await Promise.allSettled(
      Array.from({ length: 200 }, () => placed(user)),
    );
    held.open();

    const accepted = ends.filter(({ status }) => status === "fulfilled");
    // Three that wait, two at work unless a look at the database has the drivers, and what that takes up.
    expect(accepted.length).toBeGreaterThanOrEqual(3);
    expect(accepted.length).toBeLessThan(50);
    expectOverloaded(ends);
    await eventually(
      "every accepted order is completed",
      async () =>
        (await statesOf(world)).every((state) => state === "completed"),
      20_000,
    );
    expect(await statesOf(world)).toHaveLength(accepted.length);
  });

  test("are taken again when there is room, under the name that was refused", async () => {
    const world = await setupWorld();
    const user = world.start({ drivers: 1, maxWaiting: 1 }).user();
    const held = world.participants.hold("reserve");
    const refused = await fill(user);

    held.open();

    await eventually("the same request is accepted", () =>
      placed(user, refused).then(
        () => true,
        () => false,
      ),
    );
  });

  test("are let in fewer at a time until the rush is over", async () => {
    const world = await setupWorld();
    const process = world.start({ drivers: 8, maxWaiting: 0, pollMs: 60_000 });
    const user = process.user();
    const last = hold(world, "capture", 4);
    expect(await countAccepted(user, 4)).toBe(4);
    await eventually("they are at their last step", async () =>
      (await statesOf(world)).every((state) => state === "confirmed"),
    );
    const first = hold(world, "reserve", 5);
    expect(await countAccepted(user, 6)).toBe(4);

    last.open();
    await eventually("half of them are through", async () => {
      const states = await statesOf(world);
      return states.filter((state) => state === "completed").length === 4;
    });
    await eventually(
      "one more is let in",
      async () => (await countAccepted(user, 1)) === 1,
    );
    expect(await countAccepted(user, 3)).toBe(0);

    first.open();
    await eventually("all are through", async () =>
      (await statesOf(world)).every((state) => state === "completed"),
    );
    // Their drivers are free a moment after that can be seen.
    const { rows } = await world.db.query<{ id: string }>(
      "select id from orders",
    );
    await Promise.all(rows.map(({ id }) => process.deps.drivers.driven(id)));
    hold(world, "reserve", 8);
    expect(await countAccepted(user, 10)).toBe(8);
  });

  test("are not taken to be there where an order becomes due while drivers are free", async () => {
    const world = await setupWorld();
    const { drivers } = world.start({
      drivers: 8,
      maxWaiting: 0,
      pollMs: 60_000,
    }).deps;

    drivers.wake();
    using driver = drivers.reserve();

    expect(driver).toBeDefined();
  });

  test("are not counted where they are one request that comes again", async () => {
    const world = await setupWorld();
    const user = world
      .start({ drivers: 2, maxWaiting: 1, pollMs: 60_000 })
      .user();
    const request = { ...twoMugs(), requestId: randomUUID() };

    const ends = await Promise.allSettled(
      Array.from({ length: 50 }, () => placed(user, request)),
    );

    const codes = ends.flatMap((end) =>
      end.status === "rejected" ? [ConnectError.from(end.reason).code] : [],
    );
    expect(codes.filter((code) => code !== Code.Aborted)).toEqual([]);
    expect(await statesOf(world)).toHaveLength(1);
  });
});

describe("more choreographed orders than events settle", () => {
  test("are refused early with a retry time; all that are accepted are settled", async () => {
    const world = await setupWorld();
    const user = world.start({ drivers: 2, maxFollowed: 5 }).user();

    // No event ever comes.
    const ends = await Promise.allSettled(
      Array.from({ length: 200 }, () => placed(user, choreographed())),
    );

    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expectOverloaded(ends);
    world.pass(eventDeadlineMs);
    await eventually(
      "every accepted order is completed by calls",
      async () =>
        (await statesOf(world)).every((state) => state === "completed"),
      20_000,
    );
    await eventually("the next one is accepted", () =>
      placed(user, choreographed()).then(
        () => true,
        () => false,
      ),
    );
  });

  test("do not count those that wait for a person", async () => {
    const world = await setupWorld();
    const user = world.start({ maxFollowed: 1 }).user();
    const first = await placed(user, choreographed());
    expectOverloaded([await placing(user)]);

    await world.db.query(
      `update orders
       set state = 'needs_attention', attention = '{}'
       where id = $1`,
      [idOf(first)],
    );

    await eventually("another is accepted", async () => {
      const { status } = await placing(user);
      return status === "fulfilled";
    });
  });

  test("are refused while as many wait for a driver as may", async () => {
    const world = await setupWorld();
    const user = world
      .start({ drivers: 1, maxWaiting: 1, pollMs: 60_000 })
      .user();
    const held = world.participants.hold("reserve");
    await placed(user);
    await held.reached;
    await fill(user);

    const end = await placing(user);
    held.open();

    expectOverloaded([end]);
  });
});

/** An order that no event drives in this world. */
function choreographed() {
  const { order } = twoMugs();
  return { order: { ...order, coordination: Coordination.CHOREOGRAPHED } };
}

async function placing(user: OrderClient) {
  const [end] = await Promise.allSettled([placed(user, choreographed())]);
  return end;
}

/** All that were refused, at least one, were told when to try again. */
function expectOverloaded(ends: readonly PromiseSettledResult<unknown>[]) {
  const refused = ends.flatMap((end) =>
    end.status === "rejected" ? [ConnectError.from(end.reason)] : [],
  );
  expect(new Set(refused.map(({ code }) => code))).toEqual(
    new Set([Code.ResourceExhausted]),
  );
  const [refusal] = refused;
  expect(refusal?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("OVERLOADED");
  const { seconds = 0n } =
    refusal?.findDetails(RetryInfoSchema)[0]?.retryDelay ?? {};
  expect(seconds).toBeGreaterThan(0n);
}

/** Places orders until one is refused; answers with its request. */
async function fill(user: OrderClient) {
  for (let tries = 0; tries < 100; tries += 1) {
    const request = { ...twoMugs(), requestId: randomUUID() };
    const isAccepted = await placed(user, request).then(
      () => true,
      () => false,
    );
    if (!isAccepted) return request;
  }
  throw new Error("nothing was refused");
}

/** Keeps the next calls of a step waiting until `open`. */
function hold({ participants }: World, step: Step, calls: number) {
  const gate = Promise.withResolvers<void>();
  onTestFinished(() => gate.resolve());
  const fate = { kind: "waits", until: gate.promise } as const;
  participants.script(step, ...Array.from({ length: calls }, () => fate));
  return { open: gate.resolve };
}

/** Places so many orders at once; answers how many were accepted. */
async function countAccepted(user: OrderClient, orders: number) {
  const ends = await Promise.allSettled(
    Array.from({ length: orders }, () => placed(user)),
  );
  return ends.filter(({ status }) => status === "fulfilled").length;
}

async function statesOf(world: World): Promise<string[]> {
  const { rows } = await world.db.query<{ state: string }>(
    "select state from orders",
  );
  return rows.map(({ state }) => state);
}
