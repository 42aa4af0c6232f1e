import type { Executor } from "../data/executor.ts";
import type { Failure } from "./failure-policy.ts";
import type { IncomingRecord } from "./event-bus.ts";

/** A key of one topic, as one group sees it. */
export interface GroupKey {
  readonly group: string;
  readonly topic: string;
  readonly key: string;
}

/** The event that a key waits for. */
export interface Waiting extends Failure {
  readonly eventId: string;
  readonly lastError: string | null;
  readonly dueAt: Date;
  readonly forwardedAt: Date | null;
}

interface WaitingRow extends Omit<Waiting, "firstFailureAt" | "lastFailureAt"> {
  readonly firstFailureAt: Date | null;
  readonly lastFailureAt: Date | null;
}

const waitingColumns = `event_id as "eventId", attempts, round, first_failure_at as "firstFailureAt",
  last_failure_at as "lastFailureAt", last_error as "lastError", due_at as "dueAt", forwarded_at as "forwardedAt"`;

/**
 * Makes a key wait for its event, which is the first of its parked events from
 * then on. False, and nothing is done or locked, where it waits for one already.
 */
export async function blockKey(
  tx: Executor,
  ref: GroupKey,
  eventId: string,
  failure: Failure,
  next: { readonly dueAt: Date; readonly error: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into parked_key (
       consumer_group, topic, key, event_id, attempts, round,
       first_failure_at, last_failure_at, last_error, due_at
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict do nothing`,
    [
      ref.group,
      ref.topic,
      ref.key,
      eventId,
      failure.attempts,
      failure.round,
      failure.firstFailureAt,
      failure.lastFailureAt,
      next.error,
      next.dueAt,
    ],
  );
  return rowCount === 1;
}

/**
 * Adds a record to the key's parked ones; one that is there stays where it is.
 * False where the key has `limit` already. The caller holds the key's row.
 */
export async function parkEvent(
  tx: Executor,
  ref: GroupKey,
  eventId: string,
  record: IncomingRecord,
  limit: number,
): Promise<boolean> {
  const { rows } = await tx.query<{ parked: boolean }>(
    `with room as (
       select count(*) < $10 as free
       from (
         select from parked_event
         where consumer_group = $1 and topic = $2 and key = $3
         limit $10
       ) as present
     ), added as (
       insert into parked_event (
         consumer_group, topic, key, event_id, partition, record_offset, record_key, headers, value
       )
       select $1, $2, $3, $4, $5, $6, $7, $8, $9
       from room
       where free
       on conflict do nothing
     )
     select free or exists (
       select from parked_event
       where consumer_group = $1 and topic = $2 and key = $3 and event_id = $4
     ) as parked
     from room`,
    [
      ref.group,
      ref.topic,
      ref.key,
      eventId,
      record.partition,
      record.offset,
      record.key ?? null,
      record.headers,
      record.value,
      limit,
    ],
  );
  return rows[0]?.parked ?? false;
}

/** The event that the key waits for, which nobody else settles until the transaction ends. */
export function lockWaiting(
  tx: Executor,
  ref: GroupKey,
): Promise<Waiting | undefined> {
  return findWaiting(tx, ref, "for update");
}

/** Notes that the waiting event failed again, and must be sent to a retry topic. */
export async function noteFailure(
  tx: Executor,
  ref: GroupKey,
  failure: Failure,
  next: { readonly dueAt: Date; readonly error: string },
): Promise<void> {
  await tx.query(
    `update parked_key
     set attempts = $4, round = $5, first_failure_at = $6, last_failure_at = $7,
         last_error = $8, due_at = $9, forwarded_at = null, updated_at = clock_timestamp()
     where consumer_group = $1 and topic = $2 and key = $3`,
    [
      ref.group,
      ref.topic,
      ref.key,
      failure.attempts,
      failure.round,
      failure.firstFailureAt,
      failure.lastFailureAt,
      next.error,
      next.dueAt,
    ],
  );
}

/** Notes that a retry topic has the waiting event, if it still waits for that try. */
export async function markForwarded(
  db: Executor,
  ref: GroupKey,
  waiting: Waiting,
): Promise<void> {
  await db.query(
    `update parked_key
     set forwarded_at = clock_timestamp(), updated_at = clock_timestamp()
     where consumer_group = $1 and topic = $2 and key = $3 and event_id = $4 and attempts = $5`,
    [ref.group, ref.topic, ref.key, waiting.eventId, waiting.attempts],
  );
}

/** The waiting event is settled: the next one waits, or none and the key is free. Answers whether one does. */
export async function advanceKey(
  tx: Executor,
  ref: GroupKey,
  settledEventId: string,
): Promise<boolean> {
  await tx.query(
    `delete from parked_event
     where consumer_group = $1 and topic = $2 and key = $3 and event_id = $4`,
    [ref.group, ref.topic, ref.key, settledEventId],
  );
  const { rowCount } = await tx.query(
    `update parked_key
     set event_id = next.event_id, attempts = 0, round = 0, first_failure_at = null,
         last_failure_at = null, last_error = null, due_at = clock_timestamp(),
         forwarded_at = null, updated_at = clock_timestamp()
     from (
       select event_id
       from parked_event
       where consumer_group = $1 and topic = $2 and key = $3
       order by position
       limit 1
     ) as next
     where consumer_group = $1 and topic = $2 and key = $3`,
    [ref.group, ref.topic, ref.key],
  );
  if (rowCount === 1) return true;
  await tx.query(
    `delete from parked_key
     where consumer_group = $1 and topic = $2 and key = $3`,
    [ref.group, ref.topic, ref.key],
  );
  return false;
}

/** The event that the key waits for, if it does. */
export async function findWaiting(
  db: Executor,
  ref: GroupKey,
  lock: "" | "for update" = "",
): Promise<Waiting | undefined> {
  const { rows } = await db.query<WaitingRow>(
    `select ${waitingColumns}
     from parked_key
     where consumer_group = $1 and topic = $2 and key = $3
     ${lock}`,
    [ref.group, ref.topic, ref.key],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  // One that was parked has not failed yet: its first failure is still to come.
  const { firstFailureAt, lastFailureAt, ...rest } = row;
  return {
    ...rest,
    firstFailureAt: firstFailureAt ?? row.dueAt,
    lastFailureAt: lastFailureAt ?? row.dueAt,
  };
}

/** A parked record as it came. */
export async function readParked(
  db: Executor,
  ref: GroupKey,
  eventId: string,
): Promise<IncomingRecord | undefined> {
  const { rows } = await db.query<{
    partition: number;
    record_offset: bigint;
    record_key: string | null;
    headers: Record<string, string>;
    value: Buffer;
  }>(
    `select partition, record_offset, record_key, headers, value
     from parked_event
     where consumer_group = $1 and topic = $2 and key = $3 and event_id = $4`,
    [ref.group, ref.topic, ref.key, eventId],
  );
  const [row] = rows;
  return (
    row && {
      topic: ref.topic,
      partition: row.partition,
      offset: row.record_offset,
      key: row.record_key ?? undefined,
      value: row.value,
      headers: row.headers,
    }
  );
}

/** Keys whose waiting event no retry topic has, or should have given back long ago. */
export async function listForgotten(
  db: Executor,
  group: string,
  after: { readonly unsentMs: number; readonly overdueMs: number },
  limit: number,
): Promise<readonly GroupKey[]> {
  const { rows } = await db.query<GroupKey>(
    `select consumer_group as group, topic, key
     from parked_key
     where consumer_group = $1
       and case
         when forwarded_at is null then updated_at < clock_timestamp() - $2 * interval '1 millisecond'
         else greatest(due_at, updated_at) < clock_timestamp() - $3 * interval '1 millisecond'
       end
     order by due_at
     limit $4`,
    [group, after.unsentMs, after.overdueMs, limit],
  );
  return rows;
}

/** Forgets that the waiting event was sent, so that it is sent again. */
export async function unmarkForwarded(
  db: Executor,
  ref: GroupKey,
): Promise<void> {
  await db.query(
    `update parked_key
     set forwarded_at = null, updated_at = clock_timestamp()
     where consumer_group = $1 and topic = $2 and key = $3`,
    [ref.group, ref.topic, ref.key],
  );
}

export interface Parking {
  readonly keys: number;
  readonly events: number;
  /** Age of the first failure that still waits, in seconds. */
  readonly oldestSeconds: number;
}

/** How much waits in a group; counted up to 10,000 each. */
export async function measureParking(
  db: Executor,
  group: string,
): Promise<Parking> {
  const { rows } = await db.query<{
    keys: bigint;
    events: bigint;
    oldest: number;
  }>(
    `select
       (select count(*) from (
         select from parked_key where consumer_group = $1 limit 10000
       ) as k) as keys,
       (select count(*) from (
         select from parked_event where consumer_group = $1 limit 10000
       ) as e) as events,
       (select coalesce(extract(epoch from clock_timestamp() - min(first_failure_at)), 0)::float8
        from (
          select first_failure_at from parked_key where consumer_group = $1 limit 10000
        ) as f) as oldest`,
    [group],
  );
  const [row] = rows;
  return {
    keys: Number(row?.keys ?? 0n),
    events: Number(row?.events ?? 0n),
    oldestSeconds: row?.oldest ?? 0,
  };
}
