import { Code, ConnectError } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type { Step } from "../../../services/order/domain/order.ts";
import { eventually } from "../../support/eventually.ts";
import {
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

    const refused = ends.flatMap((end) =>
      end.status === "rejected" ? [ConnectError.from(end.reason)] : [],
    );
    const accepted = ends.flatMap((end) =>
      end.status === "fulfilled" ? [end.value.name] : [],
    );
    // Three that wait, two at work unless a look at the database has the drivers, and what that takes up.
    expect(accepted.length).toBeGreaterThanOrEqual(3);
    expect(accepted.length).toBeLessThan(50);
    expect(new Set(refused.map(({ code }) => code))).toEqual(
      new Set([Code.ResourceExhausted]),
    );
    const [refusal] = refused;
    expect(refusal?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("OVERLOADED");
    const { seconds = 0n } =
      refusal?.findDetails(RetryInfoSchema)[0]?.retryDelay ?? {};
    expect(seconds).toBeGreaterThan(0n);
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
    const user = world
      .start({ drivers: 8, maxWaiting: 0, pollMs: 60_000 })
      .user();
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
    await delay(100);
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
