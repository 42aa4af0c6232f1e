import type { Executor } from "../../platform/data/executor.ts";
import type { BuriedRecord } from "../../platform/events/dead-letter.ts";
import { isUuid } from "../../platform/runtime/ids.ts";
import type {
  DeadLetter,
  DeadLetterFilter,
  WholeDeadLetter,
} from "../domain/dead-letter.ts";

const columns = `id, consumer_group as "group", topic, partition, record_offset as "offset", key,
  event_id as "eventId", event_type as "eventType", tenant, state, version, attempts,
  first_failure_at as "firstFailureAt", last_failure_at as "lastFailureAt", error,
  error_reason as "errorReason", redrive_count as "redriveCount",
  created_at as "createdAt", updated_at as "updatedAt"`;

const contentColumns = `record, payload, original_payload as "originalPayload"`;

interface ContentRow {
  readonly record: Buffer;
  readonly payload: Buffer;
  readonly originalPayload: Buffer | null;
}

/**
 * Stores what a group gave up on. One that is there already was buried twice, and stays as it is; unless it was redriven
 * and this is what came of that: then it is pending again. Answers whether it has to be decided about.
 */
export async function receiveLetter(
  tx: Executor,
  id: string,
  buried: BuriedRecord,
): Promise<boolean> {
  const { record } = buried;
  const { headers } = record;
  const { rowCount } = await tx.query(
    `insert into dead_letters as present (
       id, consumer_group, topic, partition, record_offset, key, event_id, event_type, tenant,
       attempts, first_failure_at, last_failure_at, error, error_reason, record, payload
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
     on conflict (consumer_group, topic, partition, record_offset, event_id) do update
     set state = 'pending',
         version = present.version + 1,
         attempts = excluded.attempts,
         last_failure_at = excluded.last_failure_at,
         error = excluded.error,
         error_reason = excluded.error_reason,
         updated_at = clock_timestamp()
     where present.state in ('redriving', 'redriven')
       and present.redrive_id = $17::uuid`,
    [
      id,
      storable(buried.group, 255),
      storable(record.topic, 255),
      record.partition,
      record.offset,
      storable(record.key ?? ""),
      storable(headers["ce_id"] ?? "", 255),
      storable(headers["ce_type"] ?? "", 255),
      storable(headers["ce_tenant"] ?? "", 255),
      buried.attempts,
      buried.firstFailureAt,
      buried.lastFailureAt,
      storable(buried.error),
      storable(buried.errorReason),
      Buffer.from(JSON.stringify({ key: record.key, headers })),
      record.value,
      uuidOrNull(buried.redrive),
    ],
  );
  return rowCount === 1;
}

/** Columns are for finding it, so what Postgres can't hold may be lost in them, or what no index takes; `record` keeps it all. */
function storable(text: string, limit = 1_024): string {
  return text.replaceAll("\0", "\u{fffd}").slice(0, limit);
}

/** A header may hold anything, and a cast that fails would stop the intake for ever. */
function uuidOrNull(text: string | undefined): string | null {
  return text !== undefined && isUuid(text) ? text : null;
}

/** Those after the cursor, the last failed first. */
export async function listLetters(
  db: Executor,
  filter: DeadLetterFilter,
  after: { readonly lastFailureAt: string; readonly id: string } | undefined,
  limit: number,
): Promise<readonly (DeadLetter & { readonly cursor: string })[]> {
  const { rows } = await db.query<DeadLetter & { cursor: string }>(
    `select ${columns}, last_failure_at::text as cursor
     from dead_letters
     where ${filterSql}
       and ($9::timestamptz is null or (last_failure_at, id) < ($9, $10::uuid))
     order by last_failure_at desc, id desc
     limit $11`,
    [
      ...filterParams(filter),
      after?.lastFailureAt ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows;
}

/** Pending ones for a batch, the first failed first, which nobody else decides about meanwhile. */
export async function lockPending(
  tx: Executor,
  filter: DeadLetterFilter,
  limit: number,
): Promise<readonly WholeDeadLetter[]> {
  const { rows } = await tx.query<DeadLetter & ContentRow>(
    `select ${columns}, ${contentColumns}
     from dead_letters
     where ${filterSql}
     order by last_failure_at, record_offset, id
     limit $9
     for update skip locked`,
    [...filterParams({ ...filter, states: ["pending"] }), limit],
  );
  return rows.map(wholeOfRow);
}

const filterSql = `($1 = '' or consumer_group = $1)
       and ($2 = '' or topic = $2)
       and ($3 = '' or event_type = $3)
       and ($4 = '' or key = $4)
       and ($5 = '' or error_reason = $5)
       and ($6::timestamptz is null or last_failure_at >= $6)
       and ($7::timestamptz is null or last_failure_at < $7)
       and (cardinality($8::text[]) = 0 or state = any ($8))`;

function filterParams(filter: DeadLetterFilter): unknown[] {
  return [
    filter.group,
    filter.topic,
    filter.eventType,
    filter.key,
    filter.errorReason,
    filter.failedAfter ?? null,
    filter.failedBefore ?? null,
    filter.states,
  ];
}

/** One with its content; with a `lock` nobody else decides about it until the transaction ends. */
export async function findLetter(
  db: Executor,
  id: string,
  lock: "" | "for update" = "",
): Promise<WholeDeadLetter | undefined> {
  const { rows } = await db.query<DeadLetter & ContentRow>(
    `select ${columns}, ${contentColumns}
     from dead_letters
     where id = $1
     ${lock}`,
    [id],
  );
  return rows[0] && wholeOfRow(rows[0]);
}

/** Decides to send it back, with this payload. */
export async function beginRedrive(
  tx: Executor,
  id: string,
  redrive: { readonly id: string; readonly editedPayload?: Uint8Array },
): Promise<void> {
  await tx.query(
    `update dead_letters
     set state = 'redriving',
         version = version + 1,
         redrive_count = redrive_count + 1,
         redrive_id = $2,
         original_payload = case when $3::bytea is null then original_payload else coalesce(original_payload, payload) end,
         payload = coalesce($3, payload),
         updated_at = clock_timestamp()
     where id = $1`,
    [id, redrive.id, redrive.editedPayload ?? null],
  );
}

export async function discardLetter(tx: Executor, id: string): Promise<void> {
  await tx.query(
    `update dead_letters
     set state = 'discarded', version = version + 1, updated_at = clock_timestamp()
     where id = $1`,
    [id],
  );
}

export interface LetterToSend extends WholeDeadLetter {
  readonly redriveId: string;
}

/** Any number does, as long as nothing else in this database uses it. */
const SENDING_LOCK = 7_306_514_211;

/** Makes the transaction the only one that sends until it ends. False where another one does: two would send the letters of a key out of order. */
export async function claimSending(tx: Executor): Promise<boolean> {
  const { rows } = await tx.query<{ claimed: boolean }>(
    "select pg_try_advisory_xact_lock($1) as claimed",
    [SENDING_LOCK],
  );
  return rows[0]?.claimed ?? false;
}

/** Those whose sending is decided, which nobody changes meanwhile. One that is locked is waited for: its key's next must not overtake it. */
export async function lockLettersToSend(
  tx: Executor,
  limit: number,
): Promise<readonly LetterToSend[]> {
  const { rows } = await tx.query<
    DeadLetter & ContentRow & { redriveId: string }
  >(
    `select ${columns}, ${contentColumns}, redrive_id as "redriveId"
     from dead_letters
     where state = 'redriving'
     order by updated_at
     limit $1
     for update`,
    [limit],
  );
  return rows.map((row) => ({ ...wholeOfRow(row), redriveId: row.redriveId }));
}

export async function markRedriven(
  tx: Executor,
  ids: readonly string[],
): Promise<void> {
  await tx.query(
    `update dead_letters
     set state = 'redriven', version = version + 1, updated_at = clock_timestamp()
     where id = any ($1::uuid[]) and state = 'redriving'`,
    [ids],
  );
}

/** How many wait for a decision, by group. Bounded by the groups. */
export async function countPending(
  db: Executor,
): Promise<readonly { readonly group: string; readonly count: bigint }[]> {
  const { rows } = await db.query<{ group: string; count: bigint }>(
    `select consumer_group as group, count(*) as count
     from dead_letters
     where state = 'pending'
     group by consumer_group
     limit 1000`,
  );
  return rows;
}

/** Deletes one small batch of those that were settled longer ago than `retentionMs`. Answers how many. */
export async function pruneSettled(
  db: Executor,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from dead_letters
     where id in (
       select id
       from dead_letters
       where state in ('redriven', 'discarded')
         and updated_at < clock_timestamp() - $1 * interval '1 millisecond'
       order by updated_at
       limit $2
     )`,
    [retentionMs, limit],
  );
  return rowCount;
}

function wholeOfRow(row: DeadLetter & ContentRow): WholeDeadLetter {
  const { record, payload, originalPayload, ...letter } = row;
  // Written by receiveLetter, just above.
  const { key, headers } = JSON.parse(record.toString()) as {
    key?: string;
    headers: Record<string, string>;
  };
  return {
    ...letter,
    content: {
      recordKey: key,
      headers,
      payload,
      originalPayload: originalPayload ?? undefined,
    },
  };
}
