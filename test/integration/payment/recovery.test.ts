import { expect, onTestFinished, test } from "vitest";
import { setupDatabase } from "../../support/database.ts";
import {
  ABSENCE_MS,
  authorizeRequest,
  doneAtProvider,
  eventsOf,
  LATE_CHECK_MS,
  RECOVER_AFTER_MS,
  refusalOf,
  setupWorld,
  stateOf,
  worldOptionsFor,
} from "./payment-world.ts";

/** In a database of its own: the recovery takes whatever it finds. */
async function setup(token: string) {
  const database = await setupDatabase({ service: "payment" });
  onTestFinished(() => database.close());
  const world = await setupWorld(database, worldOptionsFor(token));
  const { request, name, order, paymentId } = authorizeRequest(token);
  const done = () => doneAtProvider(world, paymentId);
  await refusalOf(world.order().authorize(request)).catch(() => undefined);
  return { world, request, name, order, paymentId, done };
}

test("settles a payment that a silent provider left unknown", async () => {
  const { world, name, order } = await setup("tok_late");

  const early = await world.recover();
  world.pass(RECOVER_AFTER_MS + 1);
  const due = await world.recover();

  expect([early, due]).toEqual([0, 1]);
  expect(await stateOf(world, name)).toBe("AUTHORIZED");
  expect(await eventsOf(world, order)).toHaveLength(1);
});

test("never asks for a hold by itself, and looks more and more rarely", async () => {
  const { world, name, done } = await setup("tok_error");

  world.pass(RECOVER_AFTER_MS + 1);
  const looks = [await world.recover(), await world.recover()];
  world.pass(2 * RECOVER_AFTER_MS);
  looks.push(await world.recover());

  expect(looks).toEqual([1, 0, 1]);
  expect(await stateOf(world, name)).toBe("UNKNOWN");
  expect(await done()).toEqual([]);
});

test("settles a payment whose process was killed while the provider was asked", async () => {
  const { world, name, paymentId } = await setup("tok_late");
  // As the row was when the process died.
  await world.db.query(
    "update payments set state = 'AUTHORIZING' where tenant = $1 and id = $2",
    [world.tenant, paymentId],
  );

  world.pass(RECOVER_AFTER_MS + 1);
  await world.recover();

  expect(await stateOf(world, name)).toBe("AUTHORIZED");
});

test("finishes a capture that the provider did not answer", async () => {
  const { world, name, done } = await setup("tok_capture_late_once");
  await refusalOf(world.order().capture({ name }));

  world.pass(RECOVER_AFTER_MS + 1);
  await world.recover();

  expect(await stateOf(world, name)).toBe("CAPTURED");
  expect(await done()).toEqual(["authorized", "captured"]);
});

test("finishes a void that waited for the provider's time to pass", async () => {
  const { world, name, order } = await setup("tok_timeout");
  await refusalOf(world.order().void({ name, order }));

  world.pass(ABSENCE_MS + RECOVER_AFTER_MS);
  await world.recover();

  expect(await stateOf(world, name)).toBe("VOIDED");
});

test("lets a hold go that turns up after the payment was voided without it", async () => {
  const { world, name, order, paymentId, done } = await setup("tok_timeout");
  await refusalOf(world.order().void({ name, order }));
  world.pass(ABSENCE_MS);
  await world.order().void({ name, order });
  await world.provider.post("/v1/payment_intents", {
    amount: "1000",
    currency: "eur",
    payment_method: "tok_visa",
    capture_method: "manual",
    confirm: "true",
    "metadata[payment_id]": paymentId,
    "metadata[tenant]": world.tenant,
  });

  world.pass(LATE_CHECK_MS + 1);
  const looked = await world.recover();

  expect(looked).toBe(1);
  expect(await stateOf(world, name)).toBe("VOIDED");
  expect(await done()).toEqual(["authorized", "canceled"]);
});

test("looks for a late hold once, and is done", async () => {
  const { world, name, order } = await setup("tok_timeout");
  await refusalOf(world.order().void({ name, order }));
  world.pass(ABSENCE_MS);
  await world.order().void({ name, order });

  world.pass(LATE_CHECK_MS + 1);
  const first = await world.recover();
  world.pass(10 * LATE_CHECK_MS);
  const second = await world.recover();

  expect([first, second]).toEqual([1, 0]);
});
