import type { Executor } from "../../platform/data/executor.ts";
import type { Order } from "../domain/order.ts";
import { orderColumns, orderOfRow, type OrderRow } from "./order-row.ts";

/** A place in the log of changes: all before it has been read. */
export interface ChangeCursor {
  /** xid8 and bigint, as decimal digits. */
  readonly xid: string;
  readonly seq: string;
}

/** The end of the log: whatever commits from now on comes after it. */
export async function endOfChanges(db: Executor): Promise<ChangeCursor> {
  const { rows } = await db.query<{ xid: string }>(
    `select pg_snapshot_xmin(pg_current_snapshot())::text as xid`,
  );
  return { xid: rows[0]?.xid ?? "0", seq: "0" };
}

/** A stretch of the log. */
export interface Changes {
  /** Where to read on. */
  readonly cursor: ChangeCursor;
  /** The orders that changed, as they stand, each version once. */
  readonly orders: readonly Order[];
  /** Whether there may be more. */
  readonly isFull: boolean;
}

/**
 * The changes after the cursor, of transactions that are over. A transaction that is still under way holds back those
 * behind it: without that gate a reader that went by would never see it. A change that is no longer the newest of its
 * order is left out, for the newest one has a place of its own.
 */
export async function changesAfter(
  db: Executor,
  after: ChangeCursor,
  limit: number,
): Promise<Changes> {
  const { rows } = await db.query<ChangeRow>(
    `with news as (
       select xid, seq, order_id, version as news_version
       from order_changes
       where (xid, seq) > ($1::text::xid8, $2::bigint)
         and xid < pg_snapshot_xmin(pg_current_snapshot())
       order by xid, seq
       limit $3
     )
     select news.xid::text as cursor_xid, news.seq::text as cursor_seq,
       ${orderColumns}
     from news
     left join orders on id = order_id and version = news_version
     order by news.xid, news.seq`,
    [after.xid, after.seq, limit],
  );
  const last = rows.at(-1);
  return {
    cursor: last ? { xid: last.cursor_xid, seq: last.cursor_seq } : after,
    orders: rows.filter(isNewest).map(orderOfRow),
    isFull: rows.length === limit,
  };
}

type ChangeRow = { cursor_xid: string; cursor_seq: string } & (
  OrderRow | { id: null }
);

function isNewest(row: ChangeRow): row is Extract<ChangeRow, OrderRow> {
  return row.id !== null;
}

/** Forgets changes that happened before `before`; how many. */
export async function pruneChanges(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from order_changes
     where (xid, seq) in (
       select xid, seq
       from order_changes
       where changed_at < $1
       limit $2
     )`,
    [before, limit],
  );
  return rowCount;
}
