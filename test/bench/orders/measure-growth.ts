import { asAdmin } from "../../faults/as-admin.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { loadOrders, type OrderRate } from "./order-load.ts";

const ROUND_MS = 8_000;

export interface Growth extends OrderRate {
  readonly storedOrders: number;
}

/** How the cost of an order grows with those that are stored: 10^4, then 10^6. */
export async function measureGrowth(
  world: BenchMesh,
  skus: readonly string[],
): Promise<Growth[]> {
  const growth: Growth[] = [];
  let stored = 0;
  for (const storedOrders of [10_000, 1_000_000]) {
    await insertHistory(world, storedOrders - stored);
    stored = storedOrders;
    await loadOrders(world, { skus, inFlight: 32, ms: 2_000 });
    const rate = await loadOrders(world, { skus, inFlight: 32, ms: ROUND_MS });
    growth.push({ storedOrders, ...rate });
  }
  return growth;
}

/** Completed orders as the services would have left them, with their reservations and payments. */
async function insertHistory(
  { mesh }: BenchMesh,
  count: number,
): Promise<void> {
  await asAdmin(mesh, async (admin) => {
    await admin.query(
      `create temporary table history as
       select uuidv7() as id, clock_timestamp() - n * interval '1 second' as at
       from generate_series(1, $1::integer) as n`,
      [count],
    );
    await admin.query(`
      insert into orders.orders (
        id, tenant, customer, request_id, request_hash, state, lines, total_currency, total_minor_units,
        version, created_at, updated_at, settled_at
      )
      select id, 'demo', 'history', gen_random_uuid(), '\\x00', 'completed',
        '[{"sku": "old", "quantity": 1, "unitPrice": "999"}]', 'EUR', 999, 5, at, at, at
      from history
    `);
    await admin.query(`
      insert into inventory.reservations (
        tenant, id, order_name, state, currency, total_minor, expires_at, created_at, updated_at
      )
      select 'demo', id, 'orders/' || id, 'confirmed', 'EUR', 999, at, at, at
      from history
    `);
    await admin.query(`
      insert into payment.payments (
        tenant, id, order_id, currency, amount, captured_amount, refunded_amount, state,
        provider_reference, asked_at, version, created_at, updated_at
      )
      select 'demo', id, id, 'EUR', 999, 999, 0, 'CAPTURED', 'pi_' || id, at, 4, at, at
      from history
    `);
    await admin.query("drop table history");
    await admin.query(
      "vacuum analyze orders.orders, inventory.reservations, payment.payments",
    );
  });
}
