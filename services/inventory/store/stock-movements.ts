import type { Executor } from "../../platform/data/executor.ts";

/** Units brought in (positive) or written off (negative). */
export interface StockMovement {
  readonly id: string;
  readonly tenant: string;
  readonly sku: string;
  readonly delta: bigint;
  readonly reason: string;
  readonly at: Date;
}

/** Writes down a movement, beside the change of the stock and in its transaction. */
export async function recordMovement(
  db: Executor,
  movement: StockMovement,
): Promise<void> {
  await db.query(
    `insert into stock_movements (id, tenant, sku, delta, reason, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      movement.id,
      movement.tenant,
      movement.sku,
      movement.delta,
      movement.reason,
      movement.at,
    ],
  );
}
