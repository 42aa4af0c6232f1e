import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pruneProviderEvents } from "../../../services/payment/store/provider-events.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  authorizeRequest,
  balancesOf,
  doneAtProvider,
  eventsOf,
  IMPATIENT,
  EVENT_DELAY_MS,
  PROVIDER_UNAVAILABLE,
  refusalOf,
  setupWorld,
  stateOf,
  WEBHOOK_SECRETS,
  type World,
  type WorldOptions,
} from "./payment-world.ts";
import { openHooks, receive, signed } from "./webhook-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

const setup = (options?: WorldOptions) => setupWorld(database, options);

/** What came of the events of one payment, by their type. */
async function outcomesOf(world: World, paymentId: string) {
  const { rows } = await world.db.query<{ type: string; outcome: string }>(
    `select type, outcome
     from provider_events
     where payment_id = $1
     order by received_at, event_id`,
    [paymentId],
  );
  return rows;
}

async function lookedAt(world: World, came: readonly unknown[], count: number) {
  await eventually("the events have come", () => came.length >= count);
  world.pass(EVENT_DELAY_MS + 1);
  await world.lookAtEvents();
}

describe("a signature", () => {
  const event = {
    id: "evt_1",
    type: "payment_intent.succeeded",
    data: { object: { id: "pi_1" } },
  };
  const now = () => new Date();
  const [newSecret = "", oldSecret = ""] = WEBHOOK_SECRETS;

  test.each([newSecret, oldSecret])("of %s is good", async (secret) => {
    const world = await setup();
    const { body, signature } = signed(event, secret, now());

    expect(await receive(world, body, signature)).toBeUndefined();
  });

  test("of both secrets at once is good", async () => {
    const world = await setup();
    const { body, signature } = signed(event, "nobody's secret", now());
    const right = signed(event, oldSecret, now()).signature.split(",")[1];

    expect(
      await receive(world, body, `${signature},v0=ff,${right}`),
    ).toBeUndefined();
  });

  test.each<[string, (good: string) => string | undefined]>([
    ["that is missing", () => undefined],
    ["that is empty", () => ""],
    ["without a time", (good) => good.split(",")[1]],
    ["of another time", (good) => good.replace(/t=\d/, "t=9")],
    ["of another scheme", (good) => good.replace("v1=", "v0=")],
    ["that is cut", (good) => good.slice(0, -1)],
    [
      "of nobody's secret",
      () => signed(event, "nobody's secret", now()).signature,
    ],
  ])("%s is refused", async (_what, change) => {
    const world = await setup();
    const { body, signature } = signed(event, newSecret, now());

    expect(await receive(world, body, change(signature))).toMatchObject({
      code: "Unauthenticated",
      reason: "WEBHOOK_SIGNATURE_INVALID",
    });
  });

  test("of the same event in other bytes is refused", async () => {
    const world = await setup();
    const { body, signature } = signed(event, newSecret, now());
    const spaced = Buffer.from(JSON.stringify(event, undefined, 1));

    expect(await receive(world, spaced, signature)).toMatchObject({
      reason: "WEBHOOK_SIGNATURE_INVALID",
    });
    expect(await receive(world, body, signature)).toBeUndefined();
  });

  test.each([-301_000, 301_000])("%d ms away is too old", async (awayMs) => {
    const world = await setup();
    const at = new Date(Date.now() + awayMs);
    const { body, signature } = signed(event, newSecret, at);

    expect(await receive(world, body, signature)).toMatchObject({
      code: "Unauthenticated",
      reason: "WEBHOOK_EXPIRED",
    });
  });

  test("does not make an event of anything", async () => {
    const world = await setup();
    const { body, signature } = signed({ hello: 1 }, newSecret, now());

    expect(await receive(world, body, signature)).toMatchObject({
      code: "InvalidArgument",
      reason: "WEBHOOK_UNREADABLE",
    });
  });
});

test("an event that tells nothing new is closed without asking the provider", async () => {
  const world = await setup();
  const { came } = await openHooks(world);
  const { request, name, paymentId } = authorizeRequest();
  await world.order().authorize(request);
  await world.order().capture({ name });

  await lookedAt(world, came, 2);

  expect(await outcomesOf(world, paymentId)).toEqual([
    {
      type: "payment_intent.amount_capturable_updated",
      outcome: "known",
    },
    { type: "payment_intent.succeeded", outcome: "known" },
  ]);
});

test("an event that comes before our own call returned settles the payment once", async () => {
  const world = await setup();
  const { came } = await openHooks(world);
  const { request, name, paymentId, order } =
    authorizeRequest("tok_webhook_first");
  const authorizing = world.order().authorize(request);
  await eventually("the event has come", () => came.length > 0);
  world.pass(EVENT_DELAY_MS + 1);
  await world.lookAtEvents();
  await authorizing;
  await world.lookAtEvents();

  expect(await stateOf(world, name)).toBe("AUTHORIZED");
  expect(await doneAtProvider(world, paymentId)).toEqual(["authorized"]);
  expect(await eventsOf(world, order)).toHaveLength(1);
  expect(await balancesOf(world, paymentId)).toEqual({
    customer_holds: -1_000,
    provider_holds: 1_000,
  });
});

test("an event settles a payment whose answer was lost", async () => {
  const world = await setup(IMPATIENT);
  const { came } = await openHooks(world);
  const { request, name } = authorizeRequest("tok_late");
  expect(await refusalOf(world.order().authorize(request))).toMatchObject(
    PROVIDER_UNAVAILABLE,
  );
  const before = await stateOf(world, name);

  await lookedAt(world, came, 1);

  expect(before).toBe("UNKNOWN");
  expect(await stateOf(world, name)).toBe("AUTHORIZED");
});

test("a hold that turns up after it was voided is let go when its event comes", async () => {
  const world = await setup(IMPATIENT);
  const { came, faults } = await openHooks(world);
  await faults({ delay_ms: "1500" });
  const { request, name, paymentId } = authorizeRequest("tok_late");
  await refusalOf(world.order().authorize(request));
  // As if the provider had known nothing of it for long.
  await world.db.query(
    `update payments
     set state = 'VOIDED', payment_token = null, check_at = null
     where id = $1`,
    [paymentId],
  );

  await lookedAt(world, came, 1);

  expect(await stateOf(world, name)).toBe("VOIDED");
  expect(await doneAtProvider(world, paymentId)).toEqual([
    "authorized",
    "canceled",
  ]);
});

test("duplicate, reordered, delayed and forged events change nothing that they should not", async () => {
  const world = await setup();
  const { came, faults, stats } = await openHooks(world);
  await faults({ duplicate: "2", reorder: "true", forge: "true" });
  const payments = Array.from({ length: 6 }, () => authorizeRequest());
  await Promise.all(
    payments.map(async ({ request, name, order }, index) => {
      await world.order().authorize(request);
      if (index % 3 === 0) return world.order().void({ name, order });
      await world.order().capture({ name });
      if (index % 3 === 2) return undefined;
      const refundId = randomUUID();
      return world.order().refund({ name, refundId });
    }),
  );

  await eventually(
    "all is delivered",
    async () => {
      const { waiting, delivered } = await stats();
      return waiting === 0 && delivered >= 14;
    },
    30_000,
  );
  world.pass(EVENT_DELAY_MS + 1);
  await world.lookAtEvents();

  const states = await Promise.all(
    payments.map(({ name }) => stateOf(world, name)),
  );
  const { forged, forgedAccepted } = await stats();
  expect(states).toEqual([
    "VOIDED",
    "REFUNDED",
    "CAPTURED",
    "VOIDED",
    "REFUNDED",
    "CAPTURED",
  ]);
  expect(forged).toBeGreaterThan(0);
  expect(forgedAccepted).toBe(0);
  expect(came.some(({ isTaken }) => !isTaken)).toBe(true);
  for (const { paymentId } of payments) {
    const outcomes = await outcomesOf(world, paymentId);
    expect(new Set(outcomes.map(({ type }) => type)).size).toBe(
      outcomes.length,
    );
    const money = Object.values(await balancesOf(world, paymentId));
    expect(money.reduce((sum, amount) => sum + amount, 0)).toBe(0);
  }
});

test("money that is given back at the provider is booked, each part once, beside a refund of our own", async () => {
  const world = await setup();
  const { came } = await openHooks(world);
  const { request, name, paymentId, order } = authorizeRequest();
  await world.order().authorize(request);
  const { payment } = await world.order().capture({ name });
  const byHand = (amount: number) =>
    world.provider.post("/v1/refunds", {
      payment_intent: payment?.providerReference ?? "",
      amount: String(amount),
    });

  await byHand(300);
  await lookedAt(world, came, 3);
  const first = await balancesOf(world, paymentId);
  await world.order().refund({
    name,
    refundId: randomUUID(),
    amount: { currencyCode: "EUR", units: 2n },
  });
  await byHand(500);
  await lookedAt(world, came, 5);
  await world.lookAtEvents();

  expect(first).toEqual({
    provider_cash: 700,
    order_revenue: -1_000,
    order_refunds: 300,
  });
  expect(await stateOf(world, name)).toBe("REFUNDED");
  expect(await balancesOf(world, paymentId)).toEqual({
    order_revenue: -1_000,
    order_refunds: 1_000,
  });
  const refunds = (await eventsOf(world, order)).filter(
    ({ type }) => type === "PaymentRefunded",
  );
  expect(refunds.map(({ message }) => message)).toMatchObject([
    { amount: { units: 3n } },
    { amount: { units: 2n } },
    { amount: { units: 5n } },
  ]);
});

test("an event is tried again while the provider is silent, and is looked at when it is back", async () => {
  const world = await setup(IMPATIENT);
  const { came } = await openHooks(world);
  const { request, name, paymentId } = authorizeRequest("tok_late");
  await refusalOf(world.order().authorize(request));
  await eventually("the event has come", () => came.length > 0);

  await world.provider.crash(async () => {
    world.pass(EVENT_DELAY_MS + 1);
    await world.lookAtEvents();
  });
  const meanwhile = await outcomesOf(world, paymentId);
  await eventually("the event is learnt from", async () => {
    world.pass(60_000);
    await world.lookAtEvents();
    return (await stateOf(world, name)) === "AUTHORIZED";
  });

  expect(meanwhile).toMatchObject([{ outcome: null }]);
  expect(await outcomesOf(world, paymentId)).toMatchObject([
    { outcome: "learnt" },
  ]);
});

test("events of payments that nobody knows are closed, and old ones forgotten", async () => {
  const world = await setup();
  const id = `evt_${randomUUID()}`;
  const event = {
    id,
    type: "payment_intent.succeeded",
    data: { object: { id: `pi_${randomUUID().slice(0, 8)}` } },
  };
  const { body, signature } = signed(
    event,
    WEBHOOK_SECRETS[0] ?? "",
    new Date(),
  );
  await receive(world, body, signature);
  world.pass(EVENT_DELAY_MS + 1);
  await world.lookAtEvents();
  const outcome = async () => {
    const { rows } = await world.db.query<{ outcome: string }>(
      "select outcome from provider_events where event_id = $1",
      [id],
    );
    return rows;
  };
  const before = await outcome();

  await pruneProviderEvents(world.db, new Date(Date.now() + 60_000), 1_000);

  expect(before).toEqual([{ outcome: "unknown there" }]);
  expect(await outcome()).toEqual([]);
});
