import type { Executor } from "../../platform/data/executor.ts";
import type { NamedRequest } from "../domain/request-id.ts";

/** Takes the id for this request; false if it is taken. Waits for a concurrent request of the same id to commit or fail. */
export async function claimRequestId(
  db: Executor,
  request: NamedRequest,
  at: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into request_ids (tenant, method, request_id, request_hash, created_at)
     values ($1, $2, $3, $4, $5)
     on conflict (tenant, method, request_id) do nothing`,
    [request.tenant, request.method, request.id, request.hash, at],
  );
  return rowCount === 1;
}

/** The hash of the request that took the id. */
export async function findRequestHash(
  db: Executor,
  request: NamedRequest,
): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ request_hash: Buffer }>(
    `select request_hash
     from request_ids
     where tenant = $1
       and method = $2
       and request_id = $3`,
    [request.tenant, request.method, request.id],
  );
  return rows[0]?.request_hash;
}

/** Forgets the oldest ids from before that time, so many at most. Returns how many. */
export async function forgetRequestIds(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from request_ids
     where (tenant, method, request_id) in (
       select tenant, method, request_id
       from request_ids
       where created_at < $1
       order by created_at
       limit $2
     )`,
    [before, limit],
  );
  return rowCount;
}
