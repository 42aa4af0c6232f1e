import type { Executor } from "../../platform/data/executor.ts";
import type { Order } from "../domain/order.ts";
import { orderColumns, orderOfRow, type OrderRow } from "./order-row.ts";

/** An order that is not settled, as those who look after it see it. */
export interface UnsettledOrder {
  readonly order: Order;
  /** When its next attempt is due, or when whoever drives it has lost it. */
  readonly dueAt: Date | undefined;
  /** What the last try of its step came to; empty where none has failed. */
  readonly lastFailure: string;
  /** Where a list goes on: its time as Postgres writes it, as a Date would cut the microseconds. */
  readonly cursor: string;
}

export interface UnsettledFilter {
  /** All tenants where undefined. */
  readonly tenant: string | undefined;
  /** Only those that have not changed since. */
  readonly unchangedSince: Date | undefined;
  readonly needsAttention: boolean;
}

/**
 * The unsettled orders after the cursor, those that have not changed for longest first. The index of due orders holds
 * just the unsettled ones, so this costs what is unsettled, not what is stored.
 */
export async function listUnsettledOrders(
  db: Executor,
  filter: UnsettledFilter,
  after: { readonly updatedAt: string; readonly id: string } | undefined,
  limit: number,
): Promise<UnsettledOrder[]> {
  const { rows } = await db.query<
    OrderRow & {
      due_at: Date | null;
      last_failure: string | null;
      cursor: string;
    }
  >(
    `select ${orderColumns}, due_at, last_failure, updated_at::text as cursor
     from orders
     where due_at is not null
       and ($1::text is null or tenant = $1)
       and ($2::timestamptz is null or updated_at <= $2)
       and (not $3::boolean or state = 'needs_attention')
       and ($4::timestamptz is null or (updated_at, id) > ($4, $5::uuid))
     order by updated_at, id
     limit $6`,
    [
      filter.tenant ?? null,
      filter.unchangedSince ?? null,
      filter.needsAttention,
      after?.updatedAt ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows.map((row) => ({
    order: orderOfRow(row),
    dueAt: row.due_at ?? undefined,
    lastFailure: row.attempts > 0 ? (row.last_failure ?? "") : "",
    cursor: row.cursor,
  }));
}

/** An order, whichever tenant's, which nobody else changes until the transaction ends. */
export async function lockAnyOrder(
  tx: Executor,
  id: string,
): Promise<Order | undefined> {
  const { rows } = await tx.query<OrderRow>(
    `select ${orderColumns}
     from orders
     where id = $1
     for update`,
    [id],
  );
  return rows[0] && orderOfRow(rows[0]);
}

/** Age of the unsettled order that has not changed for longest, and how many there are, counted up to 10,000. */
export async function measureUnsettled(
  db: Executor,
): Promise<{ readonly count: number; readonly oldestSeconds: number }> {
  const { rows } = await db.query<{ count: bigint; oldest: number }>(
    `select count(*) as count,
            coalesce(extract(epoch from clock_timestamp() - min(updated_at)), 0)::float8 as oldest
     from (
       select updated_at
       from orders
       where due_at is not null
       order by due_at
       limit 10000
     ) as unsettled`,
  );
  const [row] = rows;
  return { count: Number(row?.count ?? 0n), oldestSeconds: row?.oldest ?? 0 };
}
