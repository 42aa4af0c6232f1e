import type { Database } from "../../services/platform/data/database.ts";
import type { Executor } from "../../services/platform/data/executor.ts";

/** Postgres plans a prepared statement five times for its parameters; then one plan may have to do for all that follow. */
const EXECUTIONS = 7;

/** How many rows `work` makes Postgres read of its tables, at most, however often it has run before. */
export async function rowsRead(
  db: Database,
  work: (db: Executor) => Promise<unknown>,
): Promise<number> {
  return db.transaction(async (tx) => {
    const read: number[] = [];
    for (let run = 0; run < EXECUTIONS; run += 1) {
      const before = await readSoFar(tx);
      await work(tx);
      read.push((await readSoFar(tx)) - before);
    }
    return Math.max(...read);
  });
}

/** By this transaction; with those that a filter threw away. */
async function readSoFar(tx: Executor): Promise<number> {
  const { rows } = await tx.query<{ read: bigint }>(
    `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::bigint as read
     from pg_stat_xact_user_tables`,
  );
  return Number(rows[0]?.read ?? 0n);
}
