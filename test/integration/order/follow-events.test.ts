import { ROOT_CONTEXT } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { followEvents } from "../../../services/order/app/follow-events.ts";
import { announceRowsThrough } from "../../../services/order/events/announce-order.ts";
import { orderToProto } from "../../../services/order/rpc/order-to-proto.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import type { Fact } from "../../../services/order/domain/choreography.ts";
import { claimDueOrders } from "../../../services/order/store/due-orders.ts";
import { findOrderById } from "../../../services/order/store/orders.ts";
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
    announceRow: announceRowsThrough(
      createOutbox({ wake: () => undefined }),
      orderToProto,
    ),
    wake: () => undefined,
    drivers: { wake: () => undefined },
    now: () => at,
  };
  return {
    db,
    order,
    /** Tells it of each fact by itself, or of all of them in one batch. */
    tell: (...facts: Fact[]) =>
      db.transaction((tx) =>
        followEvents(
          deps,
          tx,
          facts.map((fact) => ({
            orderId: order.id,
            fact,
            cause: ROOT_CONTEXT,
          })),
        ),
      ),
    read: () => findOrderById(db, order.id),
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

test("several events in one batch take an order as far as one by one, and tell of each version", async () => {
  const { db, order, tell, read } = await setup();

  await tell(
    { kind: "reserved", ...prices },
    { kind: "authorized" },
    { kind: "confirmed", ...prices },
    { kind: "captured" },
  );

  expect(await read()).toMatchObject({ state: "completed", settledAt: at });
  const { rows: changes } = await db.query(
    "select version from order_changes where order_id = $1 order by seq",
    [order.id],
  );
  expect(changes.map(({ version }) => version)).toEqual([1n, 2n, 3n, 4n, 5n]);
  const { rows: events } = await db.query(
    "select type, sequence from outbox where aggregate_id = $1 order by position",
    [order.id],
  );
  expect(events).toEqual([
    { type: "weft.order.v1.OrderConfirmed", sequence: 4n },
    { type: "weft.order.v1.OrderCompleted", sequence: 5n },
  ]);
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
