import { afterAll, beforeAll, expect, test } from "vitest";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { policyOf } from "../../../services/platform/rpc/policy.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  authorizeRequest,
  balancesOf,
  doneAtProvider,
  euros,
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

/** A world in which 10 euros are held. */
async function setup(token?: string) {
  const world = await setupWorld(database, worldOptionsFor(token));
  const { request, name, order, paymentId } = authorizeRequest(token);
  await world.order().authorize(request);
  const events = async () =>
    (await eventsOf(world, order)).map((event) => event.type);
  const done = () => doneAtProvider(world, paymentId);
  return { world, client: world.order(), name, order, paymentId, events, done };
}

test("takes all that is held, once", async () => {
  const { world, client, name, paymentId, events, done } = await setup();

  const { payment } = await client.capture({ name });
  const { payment: again } = await client.capture({ name });

  expect(payment).toMatchObject({
    state: Payment_State.CAPTURED,
    capturedAmount: { units: 10n },
  });
  expect(again).toEqual(payment);
  expect(await done()).toEqual(["authorized", "captured"]);
  expect(await events()).toEqual(["PaymentAuthorized", "PaymentCaptured"]);
  expect(await balancesOf(world, paymentId)).toEqual({
    provider_cash: 1000,
    order_revenue: -1000,
  });
});

test("takes a part, and lets the rest of the hold go", async () => {
  const { world, client, name, paymentId } = await setup();

  const { payment } = await client.capture({ name, amount: euros(6n) });

  expect(payment?.capturedAmount).toMatchObject({ units: 6n });
  expect(await balancesOf(world, paymentId)).toEqual({
    provider_cash: 600,
    order_revenue: -600,
  });
});

test.each([
  ["more than is held", euros(11n), "AMOUNT_TOO_LARGE"],
  ["nothing", euros(0n), "AMOUNT_INVALID"],
  ["less than nothing", euros(-1n), "AMOUNT_INVALID"],
  ["dollars", { ...euros(1n), currencyCode: "USD" }, "AMOUNT_INVALID"],
])("refuses to take %s of held euros", async (_what, amount, reason) => {
  const { client, name, done } = await setup();

  const refusal = await refusalOf(client.capture({ name, amount }));

  expect(refusal).toMatchObject({ code: "InvalidArgument", reason });
  expect(await done()).toEqual(["authorized"]);
});

test("takes once when 20 ask at once, at two instances", async () => {
  const { world, client, name, done, events } = await setup();

  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? client : world.elsewhere()).capture({ name }),
    ),
  );

  expect(new Set(answers.map(({ payment }) => payment?.state))).toEqual(
    new Set([Payment_State.CAPTURED]),
  );
  expect(await done()).toEqual(["authorized", "captured"]);
  expect(await events()).toEqual(["PaymentAuthorized", "PaymentCaptured"]);
});

test("takes once when the provider took without answering", async () => {
  const { client, name, done } = await setup("tok_capture_late_once");

  const refusal = await refusalOf(client.capture({ name }));
  const { payment } = await client.capture({ name });

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(payment?.state).toBe(Payment_State.CAPTURED);
  expect(await done()).toEqual(["authorized", "captured"]);
});

test("takes what an open capture asked for, and not what a later one asks", async () => {
  const { client, name } = await setup("tok_capture_late_once");
  await refusalOf(client.capture({ name, amount: euros(4n) }));

  const { payment } = await client.capture({ name, amount: euros(9n) });

  expect(payment?.capturedAmount).toMatchObject({ units: 4n });
});

test("refuses to take what is declined", async () => {
  const { client, name } = await setup("tok_declined");

  expect(await refusalOf(client.capture({ name }))).toMatchObject({
    code: "FailedPrecondition",
    reason: "PAYMENT_NOT_AUTHORIZED",
    metadata: { payment: name, state: "DECLINED" },
  });
});

test("learns that the provider let the hold go by itself", async () => {
  const { world, client, name, paymentId } = await setup();
  const { payment } = await client.getPayment({ name });
  const intent = `/v1/payment_intents/${payment?.providerReference}`;
  await world.provider.post(`${intent}/cancel`, {});

  const refusal = await refusalOf(client.capture({ name }));

  expect(refusal.reason).toBe("PAYMENT_NOT_AUTHORIZED");
  expect(await stateOf(world, name)).toBe("VOIDED");
  expect(await balancesOf(world, paymentId)).toEqual({});
});

test("gives back in parts, each once, until nothing is left", async () => {
  const { world, client, name, paymentId, events, done } = await setup();
  await client.capture({ name });
  const first = { name, refundId: newId(), amount: euros(3n) };
  const rest = { name, refundId: newId() };

  const answers = [
    await client.refund(first),
    await client.refund(first),
    await client.refund(rest),
    await client.refund(rest),
  ];

  expect(
    answers.map(({ payment }) => [
      payment?.state,
      payment?.refundedAmount?.units,
    ]),
  ).toEqual([
    [Payment_State.CAPTURED, 3n],
    [Payment_State.CAPTURED, 3n],
    [Payment_State.REFUNDED, 10n],
    [Payment_State.REFUNDED, 10n],
  ]);
  expect((await done()).slice(2)).toEqual(["created", "created"]);
  expect((await events()).slice(2)).toEqual([
    "PaymentRefunded",
    "PaymentRefunded",
  ]);
  expect(await balancesOf(world, paymentId)).toEqual({
    order_revenue: -1000,
    order_refunds: 1000,
  });
});

test("an administrator of the tenant gives back in parts, each once and never more than was taken", async () => {
  const { world, client, name, paymentId, done } = await setup();
  await client.capture({ name });
  const admin = world.user();
  const first = { name, refundId: newId(), amount: euros(3n) };

  await admin.refund(first);
  const { payment: again } = await admin.refund(first);
  await admin.refund({ ...first, refundId: newId() });
  const tooMuch = await refusalOf(
    admin.refund({ name, refundId: newId(), amount: euros(5n) }),
  );

  expect(again?.refundedAmount).toMatchObject({ units: 3n });
  expect(tooMuch).toMatchObject({
    code: "InvalidArgument",
    reason: "AMOUNT_TOO_LARGE",
    metadata: { requested: "500", limit: "400" },
  });
  expect((await done()).slice(2)).toEqual(["created", "created"]);
  expect(await balancesOf(world, paymentId)).toEqual({
    provider_cash: 400,
    order_revenue: -1000,
    order_refunds: 600,
  });
});

test("gives nothing back to another tenant's administrator, nor to a user who is none, and each call is audited", async () => {
  const { world, client, name, done } = await setup();
  await client.capture({ name });
  const request = { name, refundId: newId() };

  const stranger = await refusalOf(
    world.user(`${world.tenant}-other`).refund(request),
  );
  const reader = await refusalOf(
    world.user(world.tenant, "payments:read").refund(request),
  );

  expect(stranger).toMatchObject({
    code: "NotFound",
    reason: "PAYMENT_NOT_FOUND",
  });
  expect(reader).toMatchObject({
    code: "PermissionDenied",
    reason: "SCOPE_MISSING",
    metadata: { scope: "payments:admin" },
  });
  expect(await done()).toEqual(["authorized", "captured"]);
  expect(policyOf(PaymentService.method.refund).audited).toBe(true);
});

test("never gives back more than it took, when many ask at once", async () => {
  const { client, name, paymentId, world } = await setup();
  await client.capture({ name });

  const refunds = await Promise.allSettled(
    Array.from({ length: 5 }, () =>
      client.refund({ name, refundId: newId(), amount: euros(3n) }),
    ),
  );

  const given = refunds.filter(({ status }) => status === "fulfilled");
  expect(given).toHaveLength(3);
  expect(await balancesOf(world, paymentId)).toMatchObject({
    provider_cash: 100,
    order_refunds: 900,
  });
});

test("gives back once when the provider gave without answering", async () => {
  const { client, name, done } = await setup("tok_refund_late_once");
  await client.capture({ name });
  const request = { name, refundId: newId() };

  const refusal = await refusalOf(client.refund(request));
  const { payment } = await client.refund(request);

  expect(refusal).toMatchObject(PROVIDER_UNAVAILABLE);
  expect(payment?.state).toBe(Payment_State.REFUNDED);
  expect((await done()).slice(2)).toEqual(["created"]);
});

test("refuses a refund of what was not taken, of too much, and of another amount under the same id", async () => {
  const { client, name } = await setup();
  const refundId = newId();

  const early = await refusalOf(client.refund({ name, refundId }));
  await client.capture({ name });
  const amount = euros(11n);
  const tooMuch = await refusalOf(client.refund({ name, refundId, amount }));
  await client.refund({ name, refundId, amount: euros(1n) });
  const other = { name, refundId, amount: euros(2n) };
  const conflict = await refusalOf(client.refund(other));

  expect(early.reason).toBe("PAYMENT_NOT_CAPTURED");
  expect(tooMuch).toMatchObject({
    reason: "AMOUNT_TOO_LARGE",
    metadata: { requested: "1100", limit: "1000" },
  });
  expect(conflict.reason).toBe("PAYMENT_CONFLICT");
});
