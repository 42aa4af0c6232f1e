import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { claimDueChecks } from "../../../services/payment/store/payment-checks.ts";
import { newTombstone } from "../../../services/payment/domain/payment.ts";
import {
  findPayment,
  findPaymentsOfHashedTenants,
  insertPayment,
  listPayments,
} from "../../../services/payment/store/payments.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import {
  HALF_WAY,
  NOW,
  setupStoredMany,
  STORED,
  testReadsFewRows,
} from "../../support/stored-many.ts";

const db = setupStoredMany("payment", insertCaptured);

const due = { baseMs: 1_000, capMs: 1_000, limit: 10 };
/** When one of them was due. */
const LONG_AGO = new Date(0);
const firstPage = { tenant: "acme", after: undefined, limit: 10 } as const;
const halfWay = { createdAt: HALF_WAY, id: randomUUID() };

testReadsFewRows(db, [
  [
    "a payment",
    (each) => findPayment(each, { tenant: "acme", id: randomUUID() }),
  ],
  [
    "a page of a list",
    (each) => listPayments(each, { ...firstPage, orderId: undefined }),
  ],
  [
    "a page in the middle of a list",
    (each) =>
      listPayments(each, { ...firstPage, orderId: undefined, after: halfWay }),
  ],
  [
    "the payments of an order",
    (each) => listPayments(each, { ...firstPage, orderId: "order 7" }),
  ],
  [
    "the checks that are due",
    (each) => claimDueChecks(each, { ...due, now: NOW }),
  ],
  [
    "the checks that are due, by a plan that runs subqueries for each row,",
    async (each) => {
      for (const other of ["hashjoin", "mergejoin", "material", "hashagg"]) {
        await each.query(`set local enable_${other} = off`);
      }
      await each.query("set local enable_sort = off");
      await claimDueChecks(each, { ...due, now: LONG_AGO });
    },
  ],
  [
    "the payment of a tenant that the provider knows by a hash",
    (each) => findPaymentsOfHashedTenants(each, randomUUID()),
  ],
]);

test.each(["Miller's & Co", "Müller", "x".repeat(64)])(
  "finds the payment of the tenant %s by its id alone, and no other's",
  async (tenant) => {
    const id = randomUUID();
    await insertPayment(db(), tombstoneOf("acme", id), undefined);
    await insertPayment(db(), tombstoneOf(tenant, id), undefined);

    const found = await findPaymentsOfHashedTenants(db(), id);

    expect(found).toEqual([tombstoneOf(tenant, id)]);
  },
);

function tombstoneOf(tenant: string, paymentId: string) {
  return newTombstone({ tenant, paymentId, orderId: "order 1" }, NOW);
}

/** Each of another order. */
async function insertCaptured(executor: Executor): Promise<void> {
  await executor.query(
    `insert into payments (
       tenant, id, order_id, currency, amount, captured_amount, refunded_amount, state,
       provider_reference, asked_at, version, created_at, updated_at
     )
     select 'acme', uuidv7(), 'order ' || n, 'EUR', 999, 999, 0, 'CAPTURED', 'pi_' || n, at, 4, at, at
     from generate_series(1, $1::integer) as n
     cross join lateral (select $2::timestamptz - n * interval '1 second') as made (at)`,
    [STORED, NOW],
  );
  await executor.query(
    `insert into payments (
       tenant, id, order_id, captured_amount, refunded_amount, state, asked_at, check_at, version, created_at, updated_at
     )
     values ('acme', uuidv7(), 'order 0', 0, 0, 'VOIDED', $1, $1, 1, $1, $1)`,
    [LONG_AGO],
  );
  await executor.query("analyze payments");
}
