import type { Executor } from "../../platform/data/executor.ts";
import type { Coordination, Order } from "../domain/order.ts";
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
     where id = $1 and version = $2 and epoch = $7 and settled_at is null`,
    [
      order.id,
      order.version,
      order.attempts,
      order.undo,
      dueAt,
      failure,
      order.epoch,
    ],
  );
  return rowCount === 1;
}

/** Keeps an order for whoever drives it, before its next call. False where it has changed, so another drives it. */
export async function keepOrder(
  db: Executor,
  order: Pick<Order, "id" | "version" | "epoch">,
  dueAt: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update orders
     set due_at = $3
     where id = $1 and version = $2 and epoch = $4 and settled_at is null`,
    [order.id, order.version, dueAt, order.epoch],
  );
  return rowCount === 1;
}

/**
 * Takes orders that nobody drives any more, or whose next attempt is due. Whoever coordinated a two-phase commit until now
 * is replaced: nothing of it is stored any more. Once it is decided its epoch stays, which names the branches to commit.
 */
export async function claimDueOrders(
  db: Executor,
  now: Date,
  leases: Readonly<Record<Coordination, Date>>,
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
     set due_at = case coordination when 'two_phase_commit' then $4::timestamptz else $2 end,
       epoch = epoch + (coordination = 'two_phase_commit' and state = 'placed')::int
     from due
     where id = due_id
     returning ${orderColumns}, traceparent`,
    [now, leases.orchestrated, limit, leases.two_phase_commit],
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

/** Those of these orders that go on by themselves: neither settled nor waiting for a person. */
export async function findUnderWay(
  db: Executor,
  ids: readonly string[],
): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select id
     from orders
     where id = any($1::uuid[])
       and settled_at is null
       and attention is null`,
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}
