import type { Executor } from "./executor.ts";

/** What names a request for ever: the same key is the same request, or a mistake. */
export interface RequestKey {
  readonly tenant: string;
  /** The method's full name. */
  readonly operation: string;
  /** A UUID. */
  readonly key: string;
  /** SHA-256 of what is asked for. */
  readonly hash: Buffer;
}

/** The first answer to a request. */
export interface StoredAnswer {
  /** google.rpc.Code; 0 is OK. */
  readonly status: number;
  /** The response message, or the google.rpc.Status. */
  readonly answer: Uint8Array;
}

/** How a key stands. */
export type KeyState = { readonly hash: Buffer } & (
  | ({ readonly kind: "answered" } & StoredAnswer)
  | { readonly kind: "in flight"; readonly leaseMs: number }
);

/**
 * Holds the key of a request for so long, in one round trip, if it is new or whoever held it let go or died. Returns the
 * epoch of the hold, 1 for a new key; undefined where somebody holds it, it is answered, or it is another request's.
 */
export async function holdKey(
  db: Executor,
  request: RequestKey,
  leaseMs: number,
): Promise<number | undefined> {
  const { rows } = await db.query<{ epoch: number }>(
    `insert into idempotency_keys as known
       (tenant, operation, key, request_hash, epoch, leased_until)
     values ($1, $2, $3, $4, 1, clock_timestamp() + $5 * interval '1 millisecond')
     on conflict (tenant, operation, key) do update
     set epoch = known.epoch + 1,
         leased_until = excluded.leased_until
     where known.leased_until <= clock_timestamp()
       and known.request_hash = excluded.request_hash
     returning epoch`,
    [request.tenant, request.operation, request.key, request.hash, leaseMs],
  );
  return rows[0]?.epoch;
}

/** Holds a key that is new. False if it is known; waits for a concurrent transaction that inserted it to end. */
export async function holdNewKey(
  tx: Executor,
  request: RequestKey,
  leaseMs: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into idempotency_keys
       (tenant, operation, key, request_hash, epoch, leased_until)
     values ($1, $2, $3, $4, 1, clock_timestamp() + $5 * interval '1 millisecond')
     on conflict (tenant, operation, key) do nothing`,
    [request.tenant, request.operation, request.key, request.hash, leaseMs],
  );
  return rowCount === 1;
}

/** Stores the answer to a key that nobody holds. False if it is known; waits as {@link holdNewKey} does. */
export async function insertAnswer(
  db: Executor,
  request: RequestKey,
  { status, answer }: StoredAnswer,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into idempotency_keys
       (tenant, operation, key, request_hash, epoch, status, answer)
     values ($1, $2, $3, $4, 1, $5, $6)
     on conflict (tenant, operation, key) do nothing`,
    [
      request.tenant,
      request.operation,
      request.key,
      request.hash,
      status,
      answer,
    ],
  );
  return rowCount === 1;
}

/** Stores the answer of whoever holds the key in this epoch. False if another one took it over. */
export async function answerKey(
  db: Executor,
  request: RequestKey,
  epoch: number,
  { status, answer }: StoredAnswer,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update idempotency_keys
     set status = $5,
         answer = $6,
         leased_until = null
     where tenant = $1
       and operation = $2
       and key = $3
       and epoch = $4
       and status is null`,
    [request.tenant, request.operation, request.key, epoch, status, answer],
  );
  return rowCount === 1;
}

/** Whether this epoch still holds the key; if so, it does until the transaction ends. */
export async function keepsKey(
  tx: Executor,
  request: RequestKey,
  epoch: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `select 1
     from idempotency_keys
     where tenant = $1
       and operation = $2
       and key = $3
       and epoch = $4
       and status is null
     for update`,
    [request.tenant, request.operation, request.key, epoch],
  );
  return rowCount === 1;
}

/** Lets the next one with the same request go on at once. */
export async function letKeyGo(
  db: Executor,
  request: RequestKey,
  epoch: number,
): Promise<void> {
  await db.query(
    `update idempotency_keys
     set leased_until = clock_timestamp()
     where tenant = $1
       and operation = $2
       and key = $3
       and epoch = $4
       and status is null`,
    [request.tenant, request.operation, request.key, epoch],
  );
}

/** How a key stands; undefined if it is new. */
export async function findKey(
  db: Executor,
  { tenant, operation, key }: RequestKey,
): Promise<KeyState | undefined> {
  const { rows } = await db.query<{
    request_hash: Buffer;
    status: number | null;
    answer: Buffer | null;
    lease_ms: number | null;
  }>(
    `select request_hash, status, answer,
            (extract(epoch from leased_until - clock_timestamp()) * 1000)::float8 as lease_ms
     from idempotency_keys
     where tenant = $1
       and operation = $2
       and key = $3`,
    [tenant, operation, key],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { request_hash: hash, status, answer, lease_ms } = row;
  return status === null || answer === null
    ? { kind: "in flight", hash, leaseMs: Math.max(0, lease_ms ?? 0) }
    : { kind: "answered", hash, status, answer };
}

/** Forgets one small batch of keys that were first used longer ago than `retentionMs`. Answers how many. */
export async function pruneKeys(
  db: Executor,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from idempotency_keys
     where ctid = any(array(
       select ctid
       from idempotency_keys
       where created_at < clock_timestamp() - $1 * interval '1 millisecond'
         and (leased_until is null or leased_until < clock_timestamp())
       limit $2
     ))`,
    [retentionMs, limit],
  );
  return rowCount;
}
