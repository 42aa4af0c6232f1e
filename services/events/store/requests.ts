import type { Executor } from "../../platform/data/executor.ts";

/** Claims a request id for the transaction; false where it took effect before. One under way elsewhere is waited for. */
export async function claimRequest(
  tx: Executor,
  id: string,
  hash: Buffer,
  at: Date,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into requests (id, hash, at)
     values ($1, $2, $3)
     on conflict do nothing`,
    [id, hash, at],
  );
  return rowCount === 1;
}

/** Keeps what the request was answered, for when it is repeated. */
export async function keepAnswer(
  tx: Executor,
  id: string,
  answer: object,
): Promise<void> {
  await tx.query("update requests set answer = $2 where id = $1", [id, answer]);
}

export async function findRequest(
  tx: Executor,
  id: string,
): Promise<{ readonly hash: Buffer; readonly answer: unknown } | undefined> {
  const { rows } = await tx.query<{ hash: Buffer; answer: unknown }>(
    "select hash, answer from requests where id = $1",
    [id],
  );
  return rows[0];
}

/** Forgets one small batch of the requests made longer ago than `retentionMs`. Answers how many. */
export async function pruneRequests(
  db: Executor,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from requests
     where id in (
       select id
       from requests
       where at < clock_timestamp() - $1 * interval '1 millisecond'
       order by at
       limit $2
     )`,
    [retentionMs, limit],
  );
  return rowCount;
}
