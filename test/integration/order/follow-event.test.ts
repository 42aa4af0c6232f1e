import { expect, test } from "vitest";
import { followEvent } from "../../../services/order/app/follow-event.ts";
import type { Fact } from "../../../services/order/domain/choreography.ts";
import { claimDueOrders } from "../../../services/order/store/due-orders.ts";
import { lockOrderById } from "../../../services/order/store/orders.ts";
import { setupWorld } from "./order-world.ts";
import { storeOrder } from "./stored-order.ts";

const at = new Date("2026-01-01T00:00:00Z");
const prices = {
  total: { currency: "EUR", minorUnits: 1n },
  unitPrices: new Map([["mug", 1n]]),
};

/** A choreographed order that was just placed, and what tells its service of events. */
async function setup() {
  const { db, tenant } = await setupWorld();
  const coordination = "choreographed";
  const dueAt = new Date(at.getTime() + 5_000);
  const order = await storeOrder(db, { tenant, coordination, at, dueAt });
  const deps = {
    announce: () => Promise.resolve(),
    changes: { wake: () => undefined },
    drivers: { wake: () => undefined },
    now: () => at,
  };
  return {
    tell: (fact: Fact) =>
      db.transaction((tx) => followEvent(deps, tx, order.id, fact)),
    read: () => db.transaction((tx) => lockOrderById(tx, order.id)),
    /** Whether a driver would take it now. Taking it, it has a lease. */
    isDue: async () => {
      const leases = {
        orchestrated: at,
        choreographed: at,
        two_phase_commit: at,
      };
      return (await claimDueOrders(db, at, leases, 1)).length === 1;
    },
  };
}

test("the news that the money was taken completes an order that has not heard of its sale yet", async () => {
  const { tell, read, isDue } = await setup();
  await tell({ kind: "reserved", ...prices });
  await tell({ kind: "authorized" });

  await tell({ kind: "captured" });
  await tell({ kind: "confirmed", ...prices });

  expect(await read()).toMatchObject({ state: "completed", settledAt: at });
  expect(await isDue()).toBe(false);
});

test.each(["reserved", "confirmed"] as const)(
  "an order whose money was taken before its prices were known is a driver's at once, when %s tells them too",
  async (kind) => {
    const { tell, read, isDue } = await setup();
    await tell({ kind: "captured" });
    expect(await isDue()).toBe(true);

    await tell({ kind, ...prices });

    expect(await read()).toMatchObject({
      state: "confirmed",
      total: prices.total,
    });
    expect(await isDue()).toBe(true);
  },
);

test("an order whose next event has time to come is nobody's", async () => {
  const { tell, isDue } = await setup();

  await tell({ kind: "reserved", ...prices });

  expect(await isDue()).toBe(false);
});
