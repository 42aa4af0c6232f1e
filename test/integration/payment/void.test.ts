import { afterAll, beforeAll, expect, test } from "vitest";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  ABSENCE_MS,
  authorizeRequest,
  balancesOf,
  doneAtProvider,
  eventsOf,
  PROVIDER_UNAVAILABLE,
  refusalOf,
  setupWorld,
  stateOf,
  worldOptionsFor,
} from "./payment-world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

async function setup(token?: string) {
  const world = await setupWorld(database, worldOptionsFor(token));
  const client = world.order();
  const { request, name, order, paymentId } = authorizeRequest(token);
  const authorize = () => client.authorize(request);
  const letGo = () => client.void({ name, order });
  const done = () => doneAtProvider(world, paymentId);
  return { world, client, authorize, letGo, done, name, order, paymentId };
}

test("lets held money go, once", async () => {
  const { world, authorize, letGo, done, order, paymentId } = await setup();
  await authorize();

  const { payment } = await letGo();
  const { payment: again } = await letGo();

  expect(payment?.state).toBe(Payment_State.VOIDED);
  expect(again).toEqual(payment);
  expect(await done()).toEqual(["authorized", "canceled"]);
  const events = await eventsOf(world, order);
  expect(events.map((event) => event.type)).toEqual([
    "PaymentAuthorized",
    "PaymentVoided",
  ]);
  expect(await balancesOf(world, paymentId)).toEqual({});
});

test("leaves a mark where nothing was made, which refuses a late authorize", async () => {
  const { authorize, letGo, done } = await setup();

  const { payment } = await letGo();
  const refusal = await refusalOf(authorize());
  const { payment: again } = await letGo();

  expect(payment?.state).toBe(Payment_State.VOIDED);
  expect(payment?.amount).toBeUndefined();
  expect(refusal).toMatchObject({
    code: "FailedPrecondition",
    reason: "PAYMENT_VOIDED",
  });
  expect(again).toEqual(payment);
  expect(await done()).toEqual([]);
});

test("returns a declined payment as it is", async () => {
  const { authorize, letGo } = await setup("tok_declined");
  await authorize();

  const { payment } = await letGo();

  expect(payment?.state).toBe(Payment_State.DECLINED);
});

test("refuses to let go what is taken", async () => {
  const { client, authorize, letGo, name } = await setup();
  await authorize();
  await client.capture({ name });

  expect(await refusalOf(letGo())).toMatchObject({
    code: "FailedPrecondition",
    reason: "PAYMENT_CAPTURED",
  });
});

test("refuses to let go the payment of another order", async () => {
  const { client, authorize, name } = await setup();
  await authorize();
  const { order } = authorizeRequest();

  const refusal = await refusalOf(client.void({ name, order }));

  expect(refusal.reason).toBe("PAYMENT_CONFLICT");
});

test.each(["tok_late_once", "tok_late"])(
  "lets the hold of %s go, of which the provider never told",
  async (token) => {
    const { authorize, letGo, done } = await setup(token);
    await refusalOf(authorize());

    const { payment } = await letGo();

    expect(payment?.state).toBe(Payment_State.VOIDED);
    expect(await done()).toEqual(["authorized", "canceled"]);
  },
);

test("lets go once when the provider did without answering", async () => {
  const { authorize, letGo, done } = await setup("tok_cancel_late_once");
  await authorize();

  const refusal = await refusalOf(letGo());
  const { payment } = await letGo();

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(payment?.state).toBe(Payment_State.VOIDED);
  expect(await done()).toEqual(["authorized", "canceled"]);
});

test("does not believe that nothing is held before the provider had its time", async () => {
  const { world, authorize, letGo, done, name } = await setup("tok_timeout");
  await refusalOf(authorize());

  const early = [await refusalOf(letGo()), await refusalOf(letGo())];
  const between = await stateOf(world, name);
  world.pass(ABSENCE_MS);
  const { payment } = await letGo();

  expect(early).toMatchObject([PROVIDER_UNAVAILABLE, PROVIDER_UNAVAILABLE]);
  expect(between).toBe("UNKNOWN");
  expect(payment?.state).toBe(Payment_State.VOIDED);
  expect(await done()).toEqual([]);
});

test("refuses to ask for the hold again once it is to be let go", async () => {
  const { authorize, letGo, done } = await setup("tok_error");
  await refusalOf(authorize());
  // The key's second attempt is approved, and cancelled at once.
  const { payment: voided } = await letGo();

  const { payment } = await authorize();

  expect(payment).toEqual(voided);
  expect(await done()).toEqual(["authorized", "canceled"]);
});

test("leaves nothing held, whatever the order in which authorize and void arrive", async () => {
  const { world } = await setup();

  const races = Array.from({ length: 12 }, async (_, index) => {
    const made = authorizeRequest(index % 2 === 0 ? "tok_visa" : "tok_slow");
    await Promise.allSettled([
      world.order().authorize(made.request),
      world.elsewhere().void({ name: made.name, order: made.order }),
    ]);
    await world.order().void({ name: made.name, order: made.order });
    return made;
  });

  for (const { name, paymentId } of await Promise.all(races)) {
    expect(await stateOf(world, name)).toBe("VOIDED");
    expect([[], ["authorized", "canceled"]]).toContainEqual(
      await doneAtProvider(world, paymentId),
    );
    expect(await balancesOf(world, paymentId)).toEqual({});
  }
});

test("either takes or lets go, when both are asked at once", async () => {
  const { world } = await setup();

  const races = Array.from({ length: 12 }, async () => {
    const made = authorizeRequest();
    await world.order().authorize(made.request);
    const answers = await Promise.allSettled([
      world.order().capture({ name: made.name }),
      world.elsewhere().void({ name: made.name, order: made.order }),
    ]);
    return { ...made, answers };
  });

  for (const { name, paymentId, answers } of await Promise.all(races)) {
    const [taken, letGo] = answers.map(({ status }) => status === "fulfilled");
    expect([taken, letGo].filter(Boolean)).toHaveLength(1);
    expect(await stateOf(world, name)).toBe(taken ? "CAPTURED" : "VOIDED");
    expect(await doneAtProvider(world, paymentId)).toEqual([
      "authorized",
      taken ? "captured" : "canceled",
    ]);
  }
});
