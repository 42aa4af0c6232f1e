import { randomUUID } from "node:crypto";
import {
  claimDueOrders,
  countDueOrders,
} from "../../../services/order/store/due-orders.ts";
import {
  changesAfter,
  endOfChanges,
} from "../../../services/order/store/order-changes.ts";
import {
  findOrder,
  findOrderOfRequest,
  listOrdersAfter,
} from "../../../services/order/store/orders.ts";
import {
  listStuckOrders,
  measureStuckOrders,
} from "../../../services/order/store/stuck-orders.ts";
import {
  listUnsettledOrders,
  measureUnsettled,
} from "../../../services/order/store/unsettled-orders.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import {
  HALF_WAY,
  NOW,
  setupStoredMany,
  STORED,
  testReadsFewRows,
} from "../../support/stored-many.ts";
import { storeOrder } from "./stored-order.ts";

const db = setupStoredMany("order", async (each) => {
  await insertCompleted(each);
  for (let open = 0; open < 5; open += 1) {
    await storeOrder(each, {
      tenant: "acme",
      coordination: "orchestrated",
      at: NOW,
    });
  }
  await each.query("analyze orders, order_changes");
});

const all = { tenant: "acme", states: [], customer: "" } as const;
const halfWay = { createdAt: HALF_WAY, id: randomUUID() };
const lease = new Date(NOW.getTime() + 60_000);

testReadsFewRows(db, [
  ["an order", (each) => findOrder(each, "acme", randomUUID())],
  [
    "the order of a request",
    (each) => findOrderOfRequest(each, "acme", randomUUID()),
  ],
  ["a page of a list", (each) => listOrdersAfter(each, all, undefined, 10)],
  [
    "a page in the middle of a list",
    (each) => listOrdersAfter(each, all, halfWay, 10),
  ],
  [
    "the open orders of a tenant",
    (each) =>
      listOrdersAfter(
        each,
        { ...all, states: ["placed", "rejecting"] },
        undefined,
        10,
      ),
  ],
  [
    "a list of rejected and cancelled orders, of which there are none,",
    (each) =>
      listOrdersAfter(
        each,
        { ...all, states: ["rejected", "cancelled"] },
        undefined,
        10,
      ),
  ],
  [
    "a page of completed, rejected and open orders in the middle of a list",
    (each) =>
      listOrdersAfter(
        each,
        { ...all, states: ["completed", "rejected", "placed"] },
        halfWay,
        10,
      ),
  ],
  [
    "the orders of a customer",
    (each) => listOrdersAfter(each, { ...all, customer: "ada" }, undefined, 10),
  ],
  [
    "the orders of a customer who has none",
    (each) => listOrdersAfter(each, { ...all, customer: "bob" }, undefined, 10),
  ],
  [
    "the orders that are due",
    (each) =>
      claimDueOrders(
        each,
        NOW,
        { orchestrated: lease, choreographed: lease, two_phase_commit: lease },
        10,
      ),
  ],
  ["how many are due", (each) => countDueOrders(each, NOW, 1_000)],
  [
    "the unsettled orders",
    (each) =>
      listUnsettledOrders(
        each,
        { tenant: undefined, unchangedSince: undefined, needsAttention: false },
        undefined,
        10,
      ),
  ],
  ["how long orders are unsettled", measureUnsettled],
  [
    "the stuck orders",
    (each) => listStuckOrders(each, undefined, undefined, 10),
  ],
  ["how many are stuck", measureStuckOrders],
  [
    "the newest changes",
    async (each) =>
      changesAfter(each, {
        after: await endOfChanges(each),
        limit: 10,
        tenant: "acme",
      }),
  ],
]);

/** Each of another customer. */
async function insertCompleted(executor: Executor): Promise<void> {
  await executor.query(
    `insert into orders (
       id, tenant, customer, request_id, request_hash, state, lines, total_currency, total_minor_units,
       version, created_at, updated_at, settled_at
     )
     select uuidv7(), 'acme', 'customer ' || n, gen_random_uuid(), '\\x00', 'completed',
       '[{"sku": "mug", "quantity": 1, "unitPrice": "999"}]', 'EUR', 999, 5, at, at, at
     from generate_series(1, $1::integer) as n
     cross join lateral (select $2::timestamptz - n * interval '1 second') as placed (at)`,
    [STORED, NOW],
  );
  await executor.query(
    `insert into order_changes (tenant, order_id, version, changed_at)
     select tenant, id, version, updated_at
     from orders`,
  );
}
