import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { confirmWithinMs } from "../../../services/order/domain/saga.ts";
import {
  listStuckOrders,
  measureStuckOrders,
} from "../../../services/order/store/stuck-orders.ts";
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
import type { Fate } from "./participants.ts";

async function setup() {
  const world = await setupWorld();
  const process = world.start();
  return { world, user: process.user(), participants: world.participants };
}

const eur = (units: bigint) => ({ currencyCode: "EUR", units });

test("settles an order: stock, hold, sale, money", async () => {
  const { world, user, participants } = await setup();

  const order = await placed(user, { ...twoMugs(), wait: true });

  expect(order).toMatchObject({
    state: State.COMPLETED,
    customer: "ada",
    total: eur(25n),
    lines: [{ sku: "mug", quantity: 2, unitPrice: { units: 12n } }],
    reservation: `reservations/${idOf(order)}`,
    payment: `payments/${idOf(order)}`,
    paymentToken: "",
    etag: '"5"',
  });
  expect(order.settleTime).toBeDefined();
  expect(participants.stepsOf(idOf(order))).toEqual([
    "reserve",
    "authorize",
    "confirm",
    "capture",
  ]);
  expect(participants.accountOf(idOf(order))).toEqual({
    stock: "sold",
    payment: "captured",
  });
  expect(participants.calls[1]).toMatchObject({
    tenant: world.tenant,
    subject: "ada",
    request: {
      order: order.name,
      amount: eur(25n),
      paymentToken: "tok_visa",
    },
  });
});

test("keeps no payment token once the payment is authorized", async () => {
  const { world, user } = await setup();

  const order = await placed(user, { ...twoMugs(), wait: true });
  const { rows } = await world.db.query(
    `select payment_token from orders where id = $1`,
    [idOf(order)],
  );

  expect(rows).toEqual([{ payment_token: null }]);
});

test("announces an order placed, confirmed and completed, each with its version", async () => {
  const { world, user } = await setup();

  const order = await placed(user, { ...twoMugs(), wait: true });

  const events = await eventsOf(world, idOf(order));
  expect(events.map(({ type, sequence }) => [type, sequence])).toEqual([
    ["OrderPlaced", 1n],
    ["OrderConfirmed", 4n],
    ["OrderCompleted", 5n],
  ]);
  expect(events.at(-1)).toMatchObject({
    tenant: world.tenant,
    message: {
      order: {
        name: order.name,
        state: State.COMPLETED,
        etag: '"5"',
        paymentToken: "",
      },
    },
  });
});

describe("a refusal", () => {
  const outOfStock = { sku: "mug", requested: "2", available: "1" };
  test.each<[string, string, Fate, string[], object]>([
    [
      "reserve",
      "too little stock",
      { kind: "refuses", reason: "OUT_OF_STOCK", metadata: outOfStock },
      ["reserve", "release"],
      { reason: "OUT_OF_STOCK", metadata: outOfStock },
    ],
    [
      "reserve",
      "an unknown product",
      { kind: "refuses", reason: "UNKNOWN_SKU", metadata: { sku: "mug" } },
      ["reserve", "release"],
      { reason: "UNKNOWN_SKU" },
    ],
    [
      "reserve",
      "prices in several currencies",
      { kind: "refuses", reason: "MIXED_CURRENCIES" },
      ["reserve", "release"],
      { reason: "MIXED_CURRENCIES" },
    ],
    [
      "authorize",
      "a declined payment",
      { kind: "declines", declineCode: "insufficient_funds" },
      ["reserve", "authorize", "release"],
      {
        reason: "PAYMENT_DECLINED",
        metadata: { decline_code: "insufficient_funds" },
      },
    ],
    [
      "authorize",
      "a reason that orders do not know",
      { kind: "refuses", reason: "AMOUNT_INVALID" },
      ["reserve", "authorize", "void", "release"],
      { reason: "ORDER_REFUSED", metadata: { reason: "AMOUNT_INVALID" } },
    ],
    [
      "confirm",
      "a reservation that ran out",
      { kind: "refuses", reason: "RESERVATION_EXPIRED" },
      ["reserve", "authorize", "confirm", "void", "release"],
      { reason: "RESERVATION_EXPIRED" },
    ],
  ])(
    "of %s for %s rejects the order and gives back what it may hold",
    async (step, _, fate, steps, failure) => {
      const { world, user, participants } = await setup();
      participants.script(step as "reserve", fate);

      const order = await placed(user, { ...twoMugs(), wait: true });

      expect(order).toMatchObject({ state: State.REJECTED, failure });
      expect(participants.stepsOf(idOf(order))).toEqual(steps);
      const account = participants.accountOf(idOf(order));
      expect(["voided", "declined", "none"]).toContain(account.payment);
      expect(account.stock).toBe("released");
      const events = await eventsOf(world, idOf(order));
      expect(events.map(({ type }) => type)).toEqual([
        "OrderPlaced",
        "OrderRejected",
      ]);
      expect(events[1]?.message).toMatchObject({ order: { failure } });
    },
  );

  test("of the price that the customer was not shown names both prices", async () => {
    const { user, participants } = await setup();
    const order = { ...twoMugs().order, expectedTotal: eur(24n) };

    const rejected = await placed(user, { order, wait: true });

    expect(rejected.failure).toMatchObject({
      reason: "PRICE_CHANGED",
      metadata: { expected: "2400 EUR", actual: "2500 EUR" },
    });
    expect(rejected.total).toMatchObject(eur(25n));
    expect(participants.stepsOf(idOf(rejected))).toEqual([
      "reserve",
      "release",
    ]);
  });
});

describe("a step without an answer", () => {
  test.each(["reserve", "authorize", "confirm", "capture"] as const)(
    "is tried again until it has one: %s",
    async (step) => {
      const { user, participants } = await setup();
      participants.script(
        step,
        { kind: "fails", code: Code.Internal },
        { kind: "answer lost", code: Code.Internal },
      );

      const order = await placed(user, { ...twoMugs(), wait: true });

      expect(order.state).toBe(State.COMPLETED);
      const steps = participants.stepsOf(idOf(order));
      expect(steps.filter((each) => each === step)).toHaveLength(3);
      expect(new Set(participants.calls.map((call) => call.order))).toEqual(
        new Set([idOf(order)]),
      );
    },
  );

  test("is tried again at once by the transport where the participant was just away", async () => {
    const { user, participants } = await setup();
    participants.script("reserve", { kind: "fails", code: Code.Unavailable });

    const order = await placed(user, { ...twoMugs(), wait: true });

    expect(order.state).toBe(State.COMPLETED);
    expect(participants.stepsOf(idOf(order)).slice(0, 2)).toEqual([
      "reserve",
      "reserve",
    ]);
  });

  test("waits longer each time, at most 10 s", async () => {
    const { world, user, participants } = await setup();
    participants.neverAnswers("capture");
    const { name } = await placed(user);

    await eventually("some attempts", () => attemptsOf(world, name, 3));
    const { rows } = await world.db.query<{ due_at: Date; attempts: number }>(
      `update orders
       set attempts = 40, due_at = $1
       returning due_at, attempts`,
      [world.now()],
    );
    await eventually("one more", () => attemptsOf(world, name, 41));
    const after = await world.db.query<{ due_at: Date }>(
      `select due_at from orders`,
    );

    const seenAt = world.now();

    const dueAt = after.rows[0]?.due_at.getTime() ?? 0;
    expect(dueAt).toBeGreaterThan(rows[0]?.due_at.getTime() ?? 0);
    expect(dueAt - seenAt.getTime()).toBeLessThanOrEqual(10_000);
    expect((await read(user, name)).state).toBe(State.CONFIRMED);
  });

  test("gives an order up after two minutes, with all that it may hold", async () => {
    const { world, user, participants } = await setup();
    participants.neverAnswers("authorize");
    const { name } = await placed(user);
    await eventually("an attempt", () => attemptsOf(world, name, 1));

    world.pass(confirmWithinMs);
    const order = await inState(user, name, State.REJECTED);

    expect(order.failure).toMatchObject({
      reason: "ORDER_TIMED_OUT",
      metadata: { state: "reserved" },
    });
    expect(participants.stepsOf(idOf(order)).slice(-2)).toEqual([
      "void",
      "release",
    ]);
  });

  test("on the way back does not keep the other thing from being given back", async () => {
    const { user, participants } = await setup();
    participants.script("confirm", {
      kind: "refuses",
      reason: "RESERVATION_EXPIRED",
    });
    participants.neverAnswers("void");
    const { name } = await placed(user);
    const id = name.slice("orders/".length);

    await eventually(
      "the stock is released",
      () => participants.accountOf(id).stock === "released",
    );
    const rejecting = await read(user, name);
    participants.script("void");
    await inState(user, name, State.REJECTED);

    expect(rejecting.state).toBe(State.REJECTING);
    expect(participants.accountOf(id).payment).toBe("voided");
  });
});

describe("a step that is refused where it may not be", () => {
  test("brings the order to people's attention, and is tried on until it succeeds", async () => {
    const { world, user, participants } = await setup();
    participants.script("capture", ...Array.from({ length: 5 }, () => gone));
    const { name } = await placed(user);

    const stuck = await inState(user, name, State.NEEDS_ATTENTION);
    const [listed] = await listStuckOrders(
      world.db,
      world.tenant,
      undefined,
      9,
    );
    const measured = await measureStuckOrders(world.db);
    const events = await eventsOf(world, idOf(stuck));
    world.pass(60_000);
    const completed = await inState(user, name, State.COMPLETED);

    expect(stuck.attention).toMatchObject({
      state: State.CONFIRMED,
      step: "capture",
      reason: "STEP_REFUSED",
      metadata: { reason: "PAYMENT_NOT_AUTHORIZED" },
    });
    expect(listed?.id).toBe(idOf(stuck));
    expect(measured.count).toBe(1);
    expect(events.map(({ type }) => type)).toContain("OrderNeedsAttention");
    expect(completed.attention).toBeUndefined();
  });
});

const gone: Fate = { kind: "refuses", reason: "PAYMENT_NOT_AUTHORIZED" };

async function attemptsOf(
  world: Awaited<ReturnType<typeof setupWorld>>,
  name: string,
  atLeast: number,
): Promise<boolean> {
  const { rows } = await world.db.query<{ attempts: number }>(
    `select attempts from orders where id = $1`,
    [idOf({ name })],
  );
  return (rows[0]?.attempts ?? 0) >= atLeast;
}
