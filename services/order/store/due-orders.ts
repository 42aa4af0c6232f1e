import type { Executor } from "../../platform/data/executor.ts";
import type { Order } from "../domain/order.ts";
import { orderColumns, orderOfRow, type OrderRow } from "./order-row.ts";

/**
 * Stores that an attempt got no answer, and why: the order itself is as it was, so nobody is told. False where it has
 * changed in the meantime.
 */
export async function postponeOrder(
  db: Executor,
  order: Order,
  dueAt: Date,
  failure: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update orders
     set attempts = $3, undo = $4, due_at = $5, last_failure = $6
     where id = $1 and version = $2 and settled_at is null`,
    [order.id, order.version, order.attempts, order.undo, dueAt, failure],
  );
  return rowCount === 1;
}

/** Keeps an order for whoever drives it, before its next call. False where it has changed, so another drives it. */
export async function keepOrder(
  db: Executor,
  order: Pick<Order, "id" | "version">,
  dueAt: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update orders
     set due_at = $3
     where id = $1 and version = $2 and settled_at is null`,
    [order.id, order.version, dueAt],
  );
  return rowCount === 1;
}

/** Takes orders that nobody drives any more, or whose next attempt is due. */
export async function claimDueOrders(
  db: Executor,
  now: Date,
  dueAt: Date,
  limit: number,
): Promise<{ order: Order; traceparent: string | undefined }[]> {
  const { rows } = await db.query<OrderRow & { traceparent: string | null }>(
    // Materialized, as a plan that ran the subquery twice would take more than the limit.
    `with due as materialized (
       select id as due_id
       from orders
       where due_at <= $1
       order by due_at
       limit $3
       for update skip locked
     )
     update orders
     set due_at = $2
     from due
     where id = due_id
     returning ${orderColumns}, traceparent`,
    [now, dueAt, limit],
  );
  return rows.map((row) => ({
    order: orderOfRow(row),
    traceparent: row.traceparent ?? undefined,
  }));
}

/** How many orders are due, counted up to `limit`. */
export async function countDueOrders(
  db: Executor,
  now: Date,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>(
    `select count(*) as count
     from (select from orders where due_at <= $1 limit $2) as due`,
    [now, limit],
  );
  return Number(rows[0]?.count ?? 0n);
}
