import { ROOT_CONTEXT } from "@opentelemetry/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  authorizeForStock,
  captureForStock,
} from "../../../services/payment/app/follow-orders.ts";
import { createProviderLane } from "../../../services/payment/app/provider-lane.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import {
  balancesOf,
  doneAtProvider,
  euros,
  eventsOf,
  setupWorld,
  stateOf,
} from "./payment-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

/** The payment of an order, and what may be done about it: by events, and by calls of the order's own service. */
async function setup(token = "tok_visa") {
  const world = await setupWorld(database);
  const id = newId();
  const order = `orders/${id}`;
  const name = `payments/${id}`;
  const { tenant } = world;
  const following = {
    ...world.deps,
    providerLane: createProviderLane({ width: 8, maxWaiting: 100 }),
  };
  const byCall = {
    authorize: () =>
      world.order().authorize({
        paymentId: id,
        order,
        amount: euros(10n),
        paymentToken: token,
      }),
    capture: () => world.order().capture({ name }),
    void: () => world.order().void({ name, order }),
  };
  return {
    world,
    following,
    id,
    order,
    name,
    /** Waits for the state. Where the provider was too slow, it is asked for again, as an order does. */
    until: (state: string, by: keyof typeof byCall) =>
      eventually(
        `it is ${state}`,
        async () => {
          const found = await stateOf(world, name).catch(() => "");
          if (found === state) return true;
          await byCall[by]().catch(() => undefined);
          return false;
        },
        25_000,
      ),
    byCall,
    byEvent: {
      authorize: () =>
        world.db.transaction((tx) =>
          authorizeForStock(following, tx, [
            { ...authorizing(tenant, id), token, cause: ROOT_CONTEXT },
          ]),
        ),
      capture: () =>
        world.db.transaction((tx) =>
          captureForStock(following, tx, [{ tenant, id, cause: ROOT_CONTEXT }]),
        ),
    },
  };
}

function authorizing(tenant: string, id: string) {
  return {
    tenant,
    paymentId: id,
    orderId: id,
    amount: { currency: "EUR", minorUnits: 1_000n },
    token: "tok_visa",
  };
}

/** Two things that happen at once, more than once: whichever is first. */
const ROUNDS = Array.from({ length: 2 }, (_, round) => round);

describe("the payment of a choreographed order", { timeout: 90_000 }, () => {
  test.each(ROUNDS)(
    "is held once where its event and its order's call authorize at once (%i)",
    async () => {
      const { world, id, byEvent, byCall, until } = await setup();

      await Promise.allSettled([byEvent.authorize(), byCall.authorize()]);
      await until("AUTHORIZED", "authorize");

      expect(await doneAtProvider(world, id)).toEqual(["authorized"]);
    },
  );

  test.each(ROUNDS)(
    "is taken once where its event and its order's call capture at once (%i)",
    async () => {
      const { world, id, order, byEvent, byCall, until } = await setup();
      await byEvent.authorize();
      await until("AUTHORIZED", "authorize");

      await Promise.allSettled([byEvent.capture(), byCall.capture()]);
      await until("CAPTURED", "capture");

      expect(await doneAtProvider(world, id)).toEqual([
        "authorized",
        "captured",
      ]);
      const captured = (await eventsOf(world, order)).filter(
        ({ type }) => type === "PaymentCaptured",
      );
      expect(captured).toHaveLength(1);
      expect(captured[0]?.message).toMatchObject({ choreographed: true });
      expect(await balancesOf(world, id)).not.toHaveProperty("provider_holds");
    },
  );

  test.each(ROUNDS)(
    "is let go where it is voided while its event authorizes it (%i)",
    async () => {
      const { world, id, byEvent, byCall, until } = await setup();

      await Promise.allSettled([byEvent.authorize(), byCall.void()]);
      await until("VOIDED", "void");

      expect(await doneAtProvider(world, id)).not.toContain("captured");
      expect(await balancesOf(world, id)).toEqual({});
    },
  );

  test.each(ROUNDS)(
    "is taken or let go, never both, where both are asked for at once (%i)",
    async () => {
      const { world, id, name, byEvent, byCall, until } = await setup();
      await byEvent.authorize();
      await until("AUTHORIZED", "authorize");

      await Promise.allSettled([byEvent.capture(), byCall.void()]);
      await eventually(
        "it is over",
        async () => {
          await byCall.capture().catch(() => undefined);
          return ["VOIDED", "CAPTURED"].includes(await stateOf(world, name));
        },
        25_000,
      );

      const done = await doneAtProvider(world, id);
      expect(done).toHaveLength(2);
    },
  );

  test("is left to its order's calls where too many wait for the provider", async () => {
    const { world, id, name, following, byEvent, until } = await setup();
    const gate = Promise.withResolvers<void>();
    while (following.providerLane.take(() => gate.promise));

    await byEvent.authorize();
    expect(await stateOf(world, name)).toBe("AUTHORIZING");
    await until("AUTHORIZED", "authorize");
    await byEvent.capture();
    expect(await stateOf(world, name)).toBe("AUTHORIZED");
    await until("CAPTURED", "capture");
    gate.resolve();

    expect(await doneAtProvider(world, id)).toEqual(["authorized", "captured"]);
  });

  test("is held and taken in one batch with others, each once, past those that were let go", async () => {
    const { world, id, order, following } = await setup();
    const { tenant, db } = world;
    const others = [newId(), newId()];
    const voided = newId();
    await world
      .order()
      .void({ name: `payments/${voided}`, order: `orders/${voided}` });
    const ids = [id, ...others, id, voided];

    await db.transaction((tx) =>
      authorizeForStock(
        following,
        tx,
        ids.map((each) => ({
          ...authorizing(tenant, each),
          cause: ROOT_CONTEXT,
        })),
      ),
    );
    for (const each of [id, ...others]) {
      await eventually("it is held", async () => {
        const state = await stateOf(world, `payments/${each}`);
        return state === "AUTHORIZED";
      });
    }
    await db.transaction((tx) =>
      captureForStock(
        following,
        tx,
        ids.map((each) => ({ tenant, id: each, cause: ROOT_CONTEXT })),
      ),
    );

    for (const each of [id, ...others]) {
      await eventually("it is taken", async () => {
        const state = await stateOf(world, `payments/${each}`);
        return state === "CAPTURED";
      });
      expect(await doneAtProvider(world, each)).toEqual([
        "authorized",
        "captured",
      ]);
    }
    expect(await stateOf(world, `payments/${voided}`)).toBe("VOIDED");
    const types = (await eventsOf(world, order)).map(({ type }) => type);
    expect(types).toEqual(["PaymentAuthorized", "PaymentCaptured"]);
  });
});
