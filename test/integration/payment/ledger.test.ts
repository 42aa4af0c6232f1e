import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { insertLedgerEntries } from "../../../services/payment/store/ledger-entries.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { authorizeRequest, setupWorld } from "./payment-world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

async function setup() {
  const world = await setupWorld(database);
  const { request, paymentId } = authorizeRequest();
  await world.order().authorize(request);
  const enter = (amounts: [bigint, bigint]) =>
    world.db.transaction((tx) =>
      insertLedgerEntries(
        tx,
        { tenant: world.tenant, id: paymentId },
        {
          transactionId: newId(),
          currency: "EUR",
          postings: [
            { account: "provider_cash", amount: amounts[0] },
            { account: "order_revenue", amount: amounts[1] },
          ],
          createdAt: new Date(),
        },
      ),
    );
  return { world, enter };
}

test("refuses to commit an entry that does not sum to zero", async () => {
  const { enter } = await setup();

  await expect(enter([500n, -500n])).resolves.toBeUndefined();
  await expect(enter([500n, -499n])).rejects.toThrow("does not sum to zero");
});

test.each([
  "update ledger_entries set amount = -amount",
  "delete from ledger_entries",
  "truncate ledger_entries",
])("refuses `%s`", async (sql) => {
  const { world } = await setup();

  await expect(world.db.query(sql)).rejects.toThrow("never changed");
});

test("sums to zero over all payments and in each transaction", async () => {
  const { world } = await setup();
  const client = world.order();
  const orders = Array.from({ length: 8 }, async (_, index) => {
    const { request, name, order } = authorizeRequest();
    await client.authorize(request);
    if (index % 2 === 0) return client.void({ name, order });
    await client.capture({ name });
    return client.refund({ name, refundId: newId() });
  });
  await Promise.all(orders);

  const { rows } = await world.db.query<{ transactions: bigint }>(
    `select count(*) as transactions
     from (
       select transaction_id
       from ledger_entries
       group by transaction_id, currency
       having sum(amount) <> 0
     ) as unbalanced`,
  );
  const { rows: entries } = await world.db.query<{ count: bigint }>(
    "select count(*) as count from ledger_entries where tenant = $1",
    [world.tenant],
  );

  expect(rows[0]?.transactions).toBe(0n);
  // 9 authorized, 4 voided, 4 captured (4 lines each), 4 refunded.
  expect(entries[0]?.count).toBe(BigInt(9 * 2 + 4 * 2 + 4 * 4 + 4 * 2));
});
