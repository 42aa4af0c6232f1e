import { randomUUID } from "node:crypto";
import { asAdmin } from "../../faults/as-admin.ts";
import { eventually } from "../../support/eventually.ts";
import type { BenchMesh } from "./bench-mesh.ts";

const SERVICES = ["order", "inventory", "payment"] as const;
const ORDERS = 200;

export interface Recovery {
  readonly killed: string;
  /** From the moment that the service ran again until every order was settled. */
  readonly settledAfterMs: number;
}

/** SIGKILL of each service while orders are under way. */
export async function measureRecovery(
  world: BenchMesh,
  skus: readonly string[],
): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  for (const killed of SERVICES) {
    recoveries.push({
      killed,
      settledAfterMs: await recover(world, skus, killed),
    });
  }
  return recoveries;
}

async function recover(
  world: BenchMesh,
  skus: readonly string[],
  service: string,
): Promise<number> {
  const { mesh, orders, asUser } = world;
  const before = mesh.pids()[service] ?? 0;
  const placing = Array.from({ length: ORDERS }, async (_, index) => {
    const sku = skus[index % skus.length] ?? "";
    const order = { lines: [{ sku, quantity: 1 }], paymentToken: "tok_visa" };
    // What was not accepted is not an order; what was is found in the database.
    await orders
      .createOrder({ order, requestId: randomUUID() }, asUser)
      .catch(() => undefined);
    if (index === ORDERS / 2) process.kill(before, "SIGKILL");
  });
  await Promise.all(placing);
  await eventually(
    `${service} runs again`,
    () => ![before, undefined].includes(mesh.pids()[service]),
    30_000,
  );
  const startedAt = performance.now();
  await eventually(
    "every order is settled",
    () =>
      asAdmin(mesh, async (admin) => {
        const { rows } = await admin.query<{ open: boolean }>(
          "select exists (select from orders.orders where settled_at is null) as open",
        );
        return rows[0]?.open === false;
      }),
    60_000,
  );
  return Math.round(performance.now() - startedAt);
}
