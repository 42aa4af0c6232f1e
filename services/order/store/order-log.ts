import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import type { ChangeCursor } from "./order-changes.ts";

/** Transaction ids mean something within one timeline of one cluster only. */
const CLUSTER = `(
  select system_identifier || '/' || timeline_id
  from pg_control_system(), pg_control_checkpoint()
)`;

/** How the log stands at a moment. */
export interface LogState {
  readonly cluster: string;
  /** pg_current_snapshot(), as text: which transactions a reader of this moment sees. */
  readonly snapshot: string;
  /** The last change that was forgotten. */
  readonly pruned: ChangeCursor;
}

/**
 * Makes the log that of this cluster: the changes of another one are forgotten, as their transaction ids count from
 * somewhere else.
 */
export async function openLog(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      `update order_log
       set cluster = ${CLUSTER}, pruned_xid = '0', pruned_seq = 0
       where cluster <> ${CLUSTER}`,
    );
    if (rowCount > 0) await tx.query("delete from order_changes");
  });
}

/** How the log stands now. Take it before what it is to be compared with is read. */
export async function readLog(db: Executor): Promise<LogState> {
  const { rows } = await db.query<{
    cluster: string;
    snapshot: string;
    xid: string;
    seq: string;
  }>(
    `select ${CLUSTER} as cluster, pg_current_snapshot()::text as snapshot,
            pruned_xid::text as xid, pruned_seq::text as seq
     from order_log`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("order_log has lost its row");
  const { cluster, snapshot, xid, seq } = row;
  return { cluster, snapshot, pruned: { xid, seq } };
}

/**
 * Forgets changes that happened before `before`, and notes that they are forgotten; how many. What a transaction under way
 * still holds back stays: nobody can have read it yet, so every place that is given out lies behind what is forgotten.
 */
export async function pruneChanges(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ forgotten: bigint }>(
    `with old as (
       delete from order_changes
       where (xid, seq) in (
         select xid, seq
         from order_changes
         where changed_at < $1
           and xid < pg_snapshot_xmin(pg_current_snapshot())
         order by xid, seq
         limit $2
       )
       returning xid, seq
     ), last as (
       select xid, seq
       from old
       order by xid desc, seq desc
       limit 1
     ), marked as (
       update order_log
       set pruned_xid = last.xid, pruned_seq = last.seq
       from last
       where (pruned_xid, pruned_seq) < (last.xid, last.seq)
     )
     select count(*) as forgotten
     from old`,
    [before, limit],
  );
  return Number(rows[0]?.forgotten ?? 0n);
}
