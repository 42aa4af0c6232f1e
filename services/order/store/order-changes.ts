import type { Executor } from "../../platform/data/executor.ts";

/** A place in the log of changes: all before it has been read. */
export interface ChangeCursor {
  /** xid8 and bigint, as decimal digits. */
  readonly xid: string;
  readonly seq: string;
}

export interface OrderChange extends ChangeCursor {
  readonly tenant: string;
  readonly orderId: string;
}

/** The end of the log: whatever commits from now on comes after it. */
export async function endOfChanges(db: Executor): Promise<ChangeCursor> {
  const { rows } = await db.query<{ xid: string }>(
    `select pg_snapshot_xmin(pg_current_snapshot())::text as xid`,
  );
  return { xid: rows[0]?.xid ?? "0", seq: "0" };
}

/**
 * The changes after the cursor, of transactions that are over. A transaction that is still under way holds back those
 * behind it: without that gate a reader that went by would never see it.
 */
export async function changesAfter(
  db: Executor,
  after: ChangeCursor,
  limit: number,
): Promise<OrderChange[]> {
  const { rows } = await db.query<{
    xid: string;
    seq: string;
    tenant: string;
    order_id: string;
  }>(
    `select xid::text as xid, seq::text as seq, tenant, order_id
     from order_changes
     where (xid, seq) > ($1::text::xid8, $2::bigint)
       and xid < pg_snapshot_xmin(pg_current_snapshot())
     order by order_changes.xid, order_changes.seq
     limit $3`,
    [after.xid, after.seq, limit],
  );
  return rows.map(({ xid, seq, tenant, order_id }) => ({
    xid,
    seq,
    tenant,
    orderId: order_id,
  }));
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
