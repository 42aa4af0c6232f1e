import { expect, test } from "vitest";
import type { Order } from "../../../services/order/domain/order.ts";
import { advance } from "../../../services/order/domain/saga.ts";
import { findDecision } from "../../../services/order/store/decisions.ts";
import {
  claimDueOrders,
  keepOrder,
  postponeOrder,
} from "../../../services/order/store/due-orders.ts";
import { updateOrder } from "../../../services/order/store/orders.ts";
import { updateOrdersTogether } from "../../../services/order/store/update-together.ts";
import { setupWorld } from "./order-world.ts";
import { storeOrder } from "./stored-order.ts";

const at = new Date("2026-01-01T00:00:00Z");

/** An order of two-phase commit that is due, and its next version, which is the decision. */
async function setup() {
  const { db, tenant } = await setupWorld();
  const coordination = "two_phase_commit";
  const order = await storeOrder(db, { tenant, coordination, at });
  const claim = async () => {
    const later = new Date(at.getTime() + 60_000);
    const leases = {
      orchestrated: later,
      choreographed: later,
      two_phase_commit: at,
    };
    const [claimed] = await claimDueOrders(db, later, leases, 1);
    if (!claimed) throw new Error("no order is due");
    return claimed.order;
  };
  return { db, order, claim };
}

function decidedOf(order: Order): Order {
  return advance(
    order,
    {
      kind: "prepared",
      total: { currency: "EUR", minorUnits: 1n },
      unitPrices: new Map([["mug", 1n]]),
    },
    at,
  );
}

function nextOf(order: Order) {
  return {
    order: decidedOf(order),
    versionBefore: order.version,
    decides: true,
    due: at,
    event: undefined,
  };
}

test("each coordinator of an order that is not decided has an epoch of its own", async () => {
  const { order, claim } = await setup();

  const second = await claim();
  const third = await claim();

  expect([order.epoch, second.epoch, third.epoch]).toEqual([1n, 2n, 3n]);
});

test("a coordinator that was replaced stores nothing, though the order is as it knew it", async () => {
  const { db, order, claim } = await setup();
  const second = await claim();

  const stored = await updateOrdersTogether(db, [nextOf(order)]);
  const alone = await updateOrder(db, decidedOf(order), order.version, at);

  expect(second.version).toBe(order.version);
  expect(stored.size).toBe(0);
  expect(alone).toBe(false);
  expect(await postponeOrder(db, order, at, "no answer")).toBe(false);
  expect(await keepOrder(db, order, at)).toBe(false);
  expect(await findDecision(db, order.id)).toBeUndefined();
});

test("a decision is in the log with the epoch of its branches, which is the order's last", async () => {
  const { db, claim } = await setup();
  const second = await claim();

  await updateOrdersTogether(db, [nextOf(second)]);
  const afterwards = await claim();

  expect(await findDecision(db, second.id)).toEqual({
    orderId: second.id,
    epoch: 2n,
  });
  expect(afterwards).toMatchObject({ state: "confirmed", epoch: 2n });
});
