import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import {
  idOf,
  inState,
  placed,
  refusalOf,
  setupWorld,
  twoMugs,
  type OrderClient,
} from "./order-world.ts";

/** Asks until the request is not in flight any more. */
async function eventualAnswer<T>(ask: () => Promise<T>): Promise<T> {
  for (const endsAt = performance.now() + 20_000; ;) {
    try {
      return await ask();
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code !== Code.Aborted || performance.now() > endsAt) throw error;
      await delay(20);
    }
  }
}

/** Asks, and goes away without an answer when the order has got so far. */
async function goAway(
  user: OrderClient,
  request: Parameters<OrderClient["createOrder"]>[0],
  soFar: Promise<unknown>,
): Promise<void> {
  const gone = new AbortController();
  const call = user.createOrder(request, { signal: gone.signal });
  await soFar;
  gone.abort();
  await expect(call).rejects.toThrow();
}

async function setup() {
  const world = await setupWorld();
  const process = world.start();
  return {
    world,
    process,
    user: process.user(),
    participants: world.participants,
  };
}

test("answers as soon as the order is stored, before anything is held", async () => {
  const { user, participants } = await setup();
  const held = participants.hold("reserve");

  const order = await placed(user);
  await held.reached;

  expect(order).toMatchObject({ state: State.PLACED, etag: '"1"' });
  expect(order.name).toMatch(/^orders\/[0-9a-f-]{36}$/);
  expect(order.total).toBeUndefined();
  expect(order.reservation).toBe("");
  expect(order.paymentToken).toBe("");
});

describe("a request id", () => {
  test("sent again with the same order gets the first answer again, flagged", async () => {
    const { user, participants } = await setup();
    const request = { ...twoMugs(), requestId: randomUUID() };

    const first = await placed(user, request);
    await inState(user, first.name, State.COMPLETED);
    const headers: Headers[] = [];
    const { order: again } = await user.createOrder(request, {
      onHeader: (header) => void headers.push(header),
    });

    expect(again).toEqual(first);
    expect(headers[0]?.get("idempotency-replayed")).toBe("true");
    expect(participants.stepsOf(idOf(first))).toHaveLength(4);
  });

  test("names one order, however many use it at once", async () => {
    const { world, process, participants } = await setup();
    const other = world.start();
    const request = { ...twoMugs(), requestId: randomUUID() };

    const orders = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        placed((index % 2 === 0 ? process : other).user(), request),
      ),
    );
    const names = new Set(orders.map(({ name }) => name));
    await inState(process.user(), [...names].join(), State.COMPLETED);

    expect(names.size).toBe(1);
    expect(participants.calls).toHaveLength(4);
  });

  test.each<[string, object]>([
    ["another quantity", { lines: [{ sku: "mug", quantity: 3 }] }],
    ["another product", { lines: [{ sku: "pen", quantity: 2 }] }],
    ["another payment", { paymentToken: "tok_other" }],
    [
      "an expected total",
      { expectedTotal: { currencyCode: "EUR", units: 25n } },
    ],
  ])("used with %s is refused", async (_, change) => {
    const { user } = await setup();
    const requestId = randomUUID();
    await placed(user, { ...twoMugs(), requestId });

    const refusal = await refusalOf(
      placed(user, { order: { ...twoMugs().order, ...change }, requestId }),
    );

    expect(refusal).toEqual({
      code: "InvalidArgument",
      reason: "REQUEST_ID_REUSED",
      metadata: { request_id: requestId },
    });
  });

  test("sent again while its order is waited for is told to come back, then gets that answer", async () => {
    const { user, participants } = await setup();
    const held = participants.hold("authorize");
    const request = { ...twoMugs(), requestId: randomUUID(), wait: true };

    const first = placed(user, request);
    await held.reached;
    const refusal = await refusalOf(placed(user, request));
    held.open();
    const order = await first;
    const again = await placed(user, request);

    expect(refusal).toMatchObject({
      code: "Aborted",
      reason: "REQUEST_IN_FLIGHT",
    });
    expect(order.state).toBe(State.COMPLETED);
    expect(again).toEqual(order);
  });

  test("whose caller went away goes on with the order that it placed", async () => {
    const { user, participants } = await setup();
    const held = participants.hold("authorize");
    const request = { ...twoMugs(), requestId: randomUUID(), wait: true };

    await goAway(user, request, held.reached);
    held.open();
    const order = await eventualAnswer(() => placed(user, request));

    expect(order.state).toBe(State.COMPLETED);
    expect(participants.calls).toHaveLength(4);
  });

  test("whose first answer is forgotten still names its order", async () => {
    const { world, user } = await setup();
    const request = { ...twoMugs(), requestId: randomUUID() };
    const first = await placed(user, request);
    await inState(user, first.name, State.COMPLETED);

    await world.db.query("delete from idempotency_keys");
    const again = await placed(user, request);

    expect(again).toMatchObject({ name: first.name, state: State.COMPLETED });
  });

  test("of another tenant is another request", async () => {
    const { process } = await setup();
    const request = { ...twoMugs(), requestId: randomUUID() };

    const mine = await placed(process.user(), request);
    const theirs = await placed(process.user("another-tenant"), request);

    expect(theirs.name).not.toBe(mine.name);
  });

  test("that is left out makes every order a new one", async () => {
    const { user } = await setup();

    const [one, two] = [await placed(user), await placed(user)];

    expect(one.name).not.toBe(two.name);
  });
});

describe("wait", () => {
  test("answers as soon as the order is settled", async () => {
    const { user, participants } = await setup();
    const held = participants.hold("capture");
    let isAnswered = false;

    const waiting = placed(user, { ...twoMugs(), wait: true }).finally(
      () => (isAnswered = true),
    );
    await held.reached;
    const before = isAnswered;
    held.open();
    const order = await waiting;

    expect(before).toBe(false);
    expect(order.state).toBe(State.COMPLETED);
  });

  test("answers as far as it got shortly before the deadline", async () => {
    const { world, user, participants } = await setup();
    const hurried = world.start({ timeLeftMs: 500 }).user();
    const held = participants.hold("confirm");
    const request = { ...twoMugs(), requestId: randomUUID(), wait: true };
    await goAway(user, request, held.reached);

    const { state } = await eventualAnswer(() => placed(hurried, request));

    expect(state).toBe(State.AUTHORIZED);
  });

  test("answers at once where no time is left for waiting", async () => {
    const { world, participants } = await setup();
    const hurried = world.start({ timeLeftMs: 240 }).user();
    participants.hold("reserve");

    const { state } = await placed(hurried, { ...twoMugs(), wait: true });

    expect(state).toBe(State.PLACED);
  });

  test("ends when the process stops, as another has to go on with the order", async () => {
    const { process, participants } = await setup();
    const held = participants.hold("authorize");

    const waiting = placed(process.user(), { ...twoMugs(), wait: true });
    await held.reached;
    const stopsAt = performance.now();
    const stopped = process.stop();
    const order = await waiting;
    const tookMs = performance.now() - stopsAt;
    held.open();
    await stopped;

    expect(order.state).toBe(State.RESERVED);
    // Its deadline is 15 s away.
    expect(tookMs).toBeLessThan(5_000);
  });

  test("hears of an order that another process sees through", async () => {
    const { world, process, participants } = await setup();
    const held = participants.hold("reserve");
    const busy = world.start({ drivers: 1, pollMs: 60_000 });
    await placed(busy.user());
    await held.reached;

    const order = await placed(busy.user(), { ...twoMugs(), wait: true });
    held.open();

    expect(order.state).toBe(State.COMPLETED);
    expect(process.logged).toEqual([]);
  });

  test("of many orders at once is answered for each", async () => {
    const { user } = await setup();

    const orders = await Promise.all(
      Array.from({ length: 40 }, () =>
        placed(user, { ...twoMugs(), wait: true }),
      ),
    );

    const states = new Set(orders.map(({ state }) => state));
    expect([...states]).toEqual([State.COMPLETED]);
  });
});
