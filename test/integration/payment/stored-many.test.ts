import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimDueChecks } from "../../../services/payment/store/payment-checks.ts";
import {
  findPayment,
  listPayments,
} from "../../../services/payment/store/payments.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { rowsRead } from "../../support/rows-read.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const STORED = 20_000;
/** A page is of ten, and one statement may look at each twice. */
const FEW_ROWS = 50;
const NOW = new Date();
/** They were made at one a second. */
const HALF_WAY = new Date(NOW.getTime() - STORED * 500);

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
  db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "payment test",
  });
  await insertCaptured(db);
}, 60_000);

afterAll(async () => {
  await db.close();
  await database.close();
});

const firstPage = { tenant: "acme", after: undefined, limit: 10 } as const;
const halfWay = { createdAt: HALF_WAY, id: randomUUID() };

test.each<[string, (db: Executor) => Promise<unknown>]>([
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
    (each) =>
      claimDueChecks(each, {
        now: NOW,
        baseMs: 1_000,
        capMs: 1_000,
        limit: 10,
      }),
  ],
])(
  "among many payments that are settled, %s reads few rows",
  async (_, read) => {
    expect(await rowsRead(db, read)).toBeLessThan(FEW_ROWS);
  },
);

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
  await executor.query("analyze payments");
}
