import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LedgerAccount } from "../../../gen/ts/weft/payment/v1/ledger_pb.ts";
import { rollUpBalances } from "../../../services/payment/store/ledger-balances.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { authorizeRequest, setupWorld, type World } from "./payment-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

/** What is on each account in cents, of the tenant or of a payment. */
async function balances(
  world: World,
  payment = "",
  tenant?: string,
): Promise<Record<string, number>> {
  const answer = await world.user(tenant).getBalances({ payment });
  return Object.fromEntries(
    answer.balances.map(({ account, amount }) => [
      accountName(account),
      Number(amount?.units) * 100 + Number(amount?.nanos) / 10_000_000,
    ]),
  );
}

function accountName(account: LedgerAccount): string {
  const names = Object.entries(LedgerAccount);
  return names.find(([, value]) => value === account)?.[0] ?? "";
}

/** A payment of 10 euros of which 6 are taken and 1.50 given back. */
async function refundedInPart(world: World) {
  const payment = authorizeRequest();
  const { name } = payment;
  await world.order().authorize(payment.request);
  await world.order().capture({ name, amount: euros(6n) });
  await world.order().refund({
    name,
    refundId: randomUUID(),
    amount: euros(1n, 500_000_000),
  });
  return payment;
}

function euros(units: bigint, nanos = 0) {
  return { currencyCode: "EUR", units, nanos };
}

const AFTER_PART = {
  PROVIDER_HOLDS: 0,
  CUSTOMER_HOLDS: 0,
  PROVIDER_CASH: 450,
  ORDER_REVENUE: -600,
  ORDER_REFUNDS: 150,
};

test("tells what is held, taken and given back, of the tenant and of one payment", async () => {
  const world = await setup();
  const { name } = await refundedInPart(world);
  const open = authorizeRequest();
  await world.order().authorize(open.request);

  expect(await balances(world, name)).toEqual(AFTER_PART);
  expect(await balances(world, open.name)).toEqual({
    PROVIDER_HOLDS: 1_000,
    CUSTOMER_HOLDS: -1_000,
  });
  expect(await balances(world)).toEqual({
    ...AFTER_PART,
    PROVIDER_HOLDS: 1_000,
    CUSTOMER_HOLDS: -1_000,
  });
  expect(await balances(world, "", `${world.tenant}-other`)).toEqual({});
});

test("counts every entry once, however often balances are rolled up while money moves", async () => {
  const world = await setup();
  const rolling = new AbortController();
  const rollUp = async () => {
    while (!rolling.signal.aborted) await rollUpBalances(world.db);
  };
  const sums: number[] = [];
  const readOn = async () => {
    while (!rolling.signal.aborted) {
      const all = Object.values(await balances(world));
      sums.push(all.reduce((sum, amount) => sum + amount, 0));
    }
  };
  const loops = [rollUp(), rollUp(), readOn()];

  await Promise.all(Array.from({ length: 12 }, () => refundedInPart(world)));
  rolling.abort();
  await Promise.all(loops);

  const wanted = Object.fromEntries(
    Object.entries(AFTER_PART).map(([name, amount]) => [name, amount * 12]),
  );
  expect(new Set(sums)).toEqual(new Set([0]));
  expect(await balances(world)).toEqual(wanted);
  await rollUpBalances(world.db);
  expect(await balances(world)).toEqual(wanted);
});

test("waits for a transaction that is under way with what it will count", async () => {
  const world = await setup();
  await refundedInPart(world);
  const { paymentId } = authorizeRequest();
  const payment = authorizeRequest();
  await world.order().authorize(payment.request);

  const held = Promise.withResolvers<void>();
  const booked = Promise.withResolvers<void>();
  const late = world.db.transaction(async (tx) => {
    await tx.query(
      `insert into ledger_entries
         (tenant, transaction_id, payment_id, account, currency, amount, created_at)
       values ($1, $2, $3, 'provider_cash', 'EUR', 700, now()),
              ($1, $2, $3, 'order_revenue', 'EUR', -700, now())`,
      [world.tenant, paymentId, payment.paymentId],
    );
    booked.resolve();
    await held.promise;
  });
  await booked.promise;
  await refundedInPart(world);
  await rollUpBalances(world.db);
  held.resolve();
  await late;
  await rollUpBalances(world.db);

  expect(await balances(world)).toMatchObject({
    PROVIDER_CASH: 2 * 450 + 700,
    ORDER_REVENUE: -2 * 600 - 700,
  });
});

test("lists entries newest first, page by page, transactions together", async () => {
  const world = await setup();
  const { name } = await refundedInPart(world);
  await refundedInPart(world);
  const user = world.user();

  const entries = [];
  let pageToken = "";
  do {
    const page = await user.listLedgerEntries({ pageSize: 3, pageToken });
    entries.push(...page.entries);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const { entries: ofOne } = await user.listLedgerEntries({ payment: name });

  const transactions = entries.map(({ transactionId }) => transactionId);
  expect(entries).toHaveLength(16);
  expect(transactions).toEqual([...transactions].sort().reverse());
  expect(ofOne).toHaveLength(8);
  expect(new Set(ofOne.map(({ payment }) => payment))).toEqual(new Set([name]));
  expect(ofOne[0]?.createTime).toBeDefined();
});
