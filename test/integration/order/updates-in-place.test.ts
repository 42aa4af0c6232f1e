import { expect, onTestFinished, test } from "vitest";
import { updateOrder } from "../../../services/order/store/orders.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import { setupDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { storeOrder } from "./stored-order.ts";

async function setup() {
  const database = await setupDatabase({ service: "order" });
  onTestFinished(() => database.close());
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "order test",
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  return db;
}

/** The updates of orders by this transaction, and how many of them no index heard of. */
async function updatesOf(tx: Executor) {
  const { rows } = await tx.query<{ all: bigint; in_place: bigint }>(
    `select n_tup_upd as all, n_tup_hot_upd as in_place
     from pg_stat_xact_user_tables
     where relname = 'orders'`,
  );
  return rows[0];
}

test("no index hears of the steps of an order until it is settled", async () => {
  const db = await setup();
  const at = new Date();

  const updates = await db.transaction(async (tx) => {
    let order = await storeOrder(tx, {
      tenant: "acme",
      coordination: "orchestrated",
      at,
    });
    for (const state of ["reserved", "authorized", "confirmed"] as const) {
      const next = { ...order, state, version: order.version + 1n };
      await updateOrder(tx, next, order.version, "kept");
      order = next;
    }
    return updatesOf(tx);
  });

  expect(updates).toEqual({ all: 3n, in_place: 3n });
});
