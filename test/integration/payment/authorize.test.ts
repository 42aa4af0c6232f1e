import { afterAll, beforeAll, expect, test } from "vitest";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import pg from "pg";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  authorizeRequest,
  balancesOf,
  doneAtProvider,
  euros,
  eventsOf,
  IMPATIENT,
  PROVIDER_UNAVAILABLE,
  refusalOf,
  setupWorld,
  stateOf,
  worldOptionsFor,
  type World,
  type WorldOptions,
} from "./payment-world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

async function setup(token?: string, options?: WorldOptions) {
  const world = await setupWorld(database, {
    ...worldOptionsFor(token),
    ...options,
  });
  const made = authorizeRequest(token);
  const authorize = () => world.order().authorize(made.request);
  const charges = async () => await doneAtProvider(world, made.paymentId);
  return { world, authorize, charges, ...made };
}

test("holds money once, however often it is asked", async () => {
  const { world, authorize, charges, paymentId, order } = await setup();

  const { payment: first } = await authorize();
  const { payment: second } = await authorize();

  expect(first).toMatchObject({
    order,
    state: Payment_State.AUTHORIZED,
    amount: { currencyCode: "EUR", units: 10n },
    providerReference: expect.stringMatching(/^pi_/),
  });
  expect(second).toEqual(first);
  expect(await charges()).toEqual(["authorized"]);
  const events = await eventsOf(world, order);
  expect(events.map((event) => event.type)).toEqual(["PaymentAuthorized"]);
  expect(events[0]?.message).toMatchObject({ payment: first });
  expect(await balancesOf(world, paymentId)).toEqual({
    provider_holds: 1000,
    customer_holds: -1000,
  });
});

test.each([
  ["tok_declined", "insufficient_funds"],
  ["tok_expired_card", "expired_card"],
  ["tok_nobody", "resource_missing"],
])("answers a refusal of %s as a declined payment", async (token, code) => {
  const { world, authorize, order, paymentId } = await setup(token);

  const { payment } = await authorize();
  const { payment: again } = await authorize();

  expect(payment).toMatchObject({
    state: Payment_State.DECLINED,
    declineCode: code,
  });
  expect(again).toEqual(payment);
  const events = await eventsOf(world, order);
  expect(events.map((event) => event.type)).toEqual(["PaymentDeclined"]);
  expect(await balancesOf(world, paymentId)).toEqual({});
});

test("refuses the id of another order, amount or token", async () => {
  const { world, authorize, request } = await setup();
  await authorize();

  const others = [
    { ...request, order: authorizeRequest().order },
    { ...request, amount: euros(11n) },
    { ...request, amount: { ...euros(10n), currencyCode: "USD" } },
    { ...request, paymentToken: "tok_slow" },
  ];

  for (const other of others) {
    expect(await refusalOf(world.order().authorize(other))).toMatchObject({
      code: "InvalidArgument",
      reason: "PAYMENT_CONFLICT",
    });
  }
});

test.each([
  ["finer than a cent", euros(10n, 1)],
  ["in a currency that is none", { ...euros(10n), currencyCode: "XXZ" }],
  ["beyond 64 bits of cents", euros(9_223_372_036_854_775_807n)],
])(
  "refuses an amount %s before the provider is asked",
  async (_what, amount) => {
    const { world, request, charges } = await setup();

    const refusal = await refusalOf(
      world.order().authorize({ ...request, amount }),
    );

    expect(refusal).toMatchObject({
      code: "InvalidArgument",
      reason: "AMOUNT_INVALID",
    });
    expect(await charges()).toEqual([]);
  },
);

test("makes one charge of 50 equal requests at once, at two instances", async () => {
  const { world, request, charges } = await setup("tok_slow");

  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (index % 2 === 0 ? world.order() : world.elsewhere()).authorize(request),
    ),
  );

  const states = new Set(answers.map(({ payment }) => payment?.state));
  expect(states).toEqual(new Set([Payment_State.AUTHORIZED]));
  expect(await charges()).toEqual(["authorized"]);
});

test.each(["tok_late_once", "tok_late"])(
  "finds the charge of %s that the provider made without answering",
  async (token) => {
    const { world, authorize, charges, name, order } = await setup(token);

    const refusal = await refusalOf(authorize());
    const between = await stateOf(world, name);
    const { payment } = await authorize();

    expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
    expect(between).toBe("UNKNOWN");
    expect(payment?.state).toBe(Payment_State.AUTHORIZED);
    expect(await charges()).toEqual(["authorized"]);
    expect(await eventsOf(world, order)).toHaveLength(1);
  },
);

test("holds money at the second attempt when the provider failed the first", async () => {
  const { authorize, charges } = await setup("tok_error");

  const refusal = await refusalOf(authorize());
  const { payment } = await authorize();

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(payment?.state).toBe(Payment_State.AUTHORIZED);
  expect(await charges()).toEqual(["authorized"]);
});

test("stays unknown as long as the provider is silent", async () => {
  const { world, authorize, name } = await setup("tok_timeout");

  const refusals = [await refusalOf(authorize()), await refusalOf(authorize())];

  expect(refusals).toMatchObject([PROVIDER_UNAVAILABLE, PROVIDER_UNAVAILABLE]);
  expect(await stateOf(world, name)).toBe("UNKNOWN");
});

test("remembers a payment whose provider was killed, and charges once when it is back", async () => {
  const { world, authorize, charges } = await setup();
  let refusal;

  await world.provider.crash(async () => {
    refusal = await refusalOf(authorize());
  });
  const { payment } = await authorize();

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(payment?.state).toBe(Payment_State.AUTHORIZED);
  expect(await charges()).toEqual(["authorized"]);
});

test("finds the charge whose record was lost between the provider's answer and the commit", async () => {
  const { world, authorize, charges, order, name } = await setup();
  const stopRecording = await refuseEvents(world.adminUrl);

  const refusal = await refusalOf(authorize());
  const between = await stateOf(world, name);
  await stopRecording();
  const { payment } = await authorize();

  expect(refusal.code).toBe("Internal");
  expect(between).toBe("AUTHORIZING");
  expect(payment?.state).toBe(Payment_State.AUTHORIZED);
  expect(await charges()).toEqual(["authorized"]);
  expect(await eventsOf(world, order)).toHaveLength(1);
});

test("leaves a provider alone that fails time after time", async () => {
  const { world, authorize, charges } = await setup("tok_visa", {
    ...IMPATIENT,
    leftAloneMs: 3_600_000,
  });
  await failAgainAndAgain(world);

  const refusal = await refusalOf(authorize());

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(await charges()).toEqual([]);
});

test("returns by itself to a provider that it left alone", async () => {
  const { world, authorize, charges } = await setup("tok_visa", {
    ...IMPATIENT,
    leftAloneMs: 100,
  });
  await failAgainAndAgain(world);

  await eventually("the provider is asked again", async () =>
    authorize().then(
      () => true,
      () => false,
    ),
  );

  expect(await charges()).toEqual(["authorized"]);
});

test("forgets the token as soon as it is known whether money is held", async () => {
  const { world, authorize, paymentId } = await setup("tok_error");
  const token = async () => {
    const { rows } = await world.db.query<{ payment_token: string | null }>(
      "select payment_token from payments where tenant = $1 and id = $2",
      [world.tenant, paymentId],
    );
    return rows[0]?.payment_token;
  };

  await refusalOf(authorize());
  const open = await token();
  await authorize();
  const settled = await token();

  expect(open).toBe("tok_error");
  expect(settled).toBeNull();
});

/** Until the provider is left alone: that takes 20 calls. */
async function failAgainAndAgain(world: World): Promise<void> {
  const silent = Array.from({ length: 20 }, () =>
    authorizeRequest("tok_timeout"),
  );
  await Promise.allSettled(
    silent.map(({ request }) => world.order().authorize(request)),
  );
}

/** Makes every commit that announces something fail, until the returned function is called. */
async function refuseEvents(adminUrl: string): Promise<() => Promise<void>> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(
    "alter table payment.outbox add constraint broken check (false) not valid",
  );
  return async () => {
    await admin.query("alter table payment.outbox drop constraint broken");
    await admin.end();
  };
}
