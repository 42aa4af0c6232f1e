import type { Executor } from "../../platform/data/executor.ts";
import type { Order } from "../domain/order.ts";
import { orderColumns, orderOfRow, type OrderRow } from "./order-row.ts";

/** Where a list of stuck orders goes on: after the order of this time and id. */
export interface StuckCursor {
  readonly updatedAt: Date;
  readonly id: string;
}

/** The orders that need attention, of one tenant or of all, those that wait longest first. */
export async function listStuckOrders(
  db: Executor,
  tenant: string | undefined,
  after: StuckCursor | undefined,
  limit: number,
): Promise<Order[]> {
  const { rows } = await db.query<OrderRow>(
    `select ${orderColumns}
     from orders
     where attention is not null
       and ($1::text is null or tenant = $1)
       and ($2::timestamptz is null or (updated_at, id) > ($2, $3::uuid))
     order by updated_at, id
     limit $4`,
    [tenant ?? null, after?.updatedAt ?? null, after?.id ?? null, limit],
  );
  return rows.map(orderOfRow);
}

/** How many orders need attention, counted up to 10,000, and since when the first one does. */
export async function measureStuckOrders(
  db: Executor,
): Promise<{ count: number; since: Date | undefined }> {
  const { rows } = await db.query<{ count: bigint; since: Date | null }>(
    `select count(*), min(updated_at) as since
     from (
       select updated_at
       from orders
       where attention is not null
       order by updated_at
       limit 10000
     ) as oldest`,
  );
  const [row] = rows;
  return { count: Number(row?.count ?? 0n), since: row?.since ?? undefined };
}
