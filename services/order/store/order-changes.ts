import type { Executor } from "../../platform/data/executor.ts";
import type { Order } from "../domain/order.ts";
import { orderColumns, orderOfRow, type OrderRow } from "./order-row.ts";

/** A place in the log of changes: all before it has been read. */
export interface ChangeCursor {
  /** xid8 and bigint, as decimal digits. */
  readonly xid: string;
  readonly seq: string;
}

/** Whether all that is read at `a` has been read at `b` too. */
export function isAtOrBefore(a: ChangeCursor, b: ChangeCursor): boolean {
  const [left, right] = [BigInt(a.xid), BigInt(b.xid)];
  return left < right || (left === right && BigInt(a.seq) <= BigInt(b.seq));
}

/** The end of the log: whatever commits from now on comes after it. */
export async function endOfChanges(db: Executor): Promise<ChangeCursor> {
  const { rows } = await db.query<{ xid: string }>(
    `select pg_snapshot_xmin(pg_current_snapshot())::text as xid`,
  );
  return { xid: rows[0]?.xid ?? "0", seq: "0" };
}

/** A change, and its place. */
export interface OrderChange {
  readonly order: Order;
  readonly at: ChangeCursor;
}

/** A stretch of the log. */
export interface Changes {
  /** Where to read on. */
  readonly cursor: ChangeCursor;
  /** The orders that changed, as they stand, each version once. */
  readonly changes: readonly OrderChange[];
  /** Whether there may be more. */
  readonly isFull: boolean;
  /** Changes after the cursor are forgotten, or it is of another log: what is told here is not all. */
  readonly isLost: boolean;
}

/** What to read of the log. */
export interface ChangesQuery {
  readonly after: ChangeCursor;
  readonly limit: number;
  /** Only this tenant's; all if undefined. */
  readonly tenant?: string | undefined;
  /** Without what this snapshot (pg_snapshot, as text) has seen. */
  readonly unseenBy?: string | undefined;
}

/**
 * The changes after the cursor, of transactions that are over. A transaction that is still under way holds back those
 * behind it: without that gate a reader that went by would never see it. A change that is no longer the newest of its
 * order is left out, for the newest one has a place of its own. The cursor moves up to that gate where nothing is left, so
 * that a reader to whom nothing happens does not fall out of the log.
 */
export async function changesAfter(
  db: Executor,
  { after, limit, tenant, unseenBy }: ChangesQuery,
): Promise<Changes> {
  const { rows } = await db.query<ChangeRow>(
    `with gate as (
       select pg_snapshot_xmin(pg_current_snapshot()) as xmin,
              pg_snapshot_xmax(pg_current_snapshot()) as xmax
     ), news as (
       select xid, seq, order_id, version as news_version
       from order_changes
       where (xid, seq) > ($1::text::xid8, $2::bigint)
         and xid < (select xmin from gate)
         and ($4::text is null or tenant = $4)
         and ($5::text is null or not pg_visible_in_snapshot(xid, $5::text::pg_snapshot))
       order by xid, seq
       limit $3
     )
     select gate.xmin::text as gate_xid,
       $1::text::xid8 > gate.xmax or exists (
         select
         from order_log
         where (pruned_xid, pruned_seq) > ($1::text::xid8, $2::bigint)
       ) as is_lost,
       news.xid::text as cursor_xid, news.seq::text as cursor_seq,
       ${orderColumns}
     from gate
     left join news on true
     left join orders on id = order_id and version = news_version
     order by news.xid, news.seq`,
    [after.xid, after.seq, limit, tenant ?? null, unseenBy ?? null],
  );
  const read = rows.flatMap((row) => {
    const at = placeOf(row);
    return at === undefined ? [] : [{ at, row }];
  });
  const isFull = read.length === limit;
  const gate = { xid: rows[0]?.gate_xid ?? "0", seq: "0" };
  const last = read.at(-1)?.at ?? after;
  return {
    cursor: isFull || !isAtOrBefore(last, gate) ? last : gate,
    changes: read.flatMap(({ at, row }) =>
      isNewest(row) ? [{ at, order: orderOfRow(row) }] : [],
    ),
    isFull,
    isLost: rows[0]?.is_lost ?? false,
  };
}

type ChangeRow = {
  gate_xid: string;
  is_lost: boolean;
  cursor_xid: string | null;
  cursor_seq: string | null;
} & (OrderRow | { id: null });

function placeOf(row: ChangeRow): ChangeCursor | undefined {
  return row.cursor_xid === null || row.cursor_seq === null
    ? undefined
    : { xid: row.cursor_xid, seq: row.cursor_seq };
}

function isNewest(row: ChangeRow): row is Extract<ChangeRow, OrderRow> {
  return row.id !== null;
}
