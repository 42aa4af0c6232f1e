import type { Executor } from "../data/executor.ts";

/**
 * Notes that the group takes the event into account. Call it in the transaction
 * of the effect: false means that an earlier delivery had its effect, so this
 * one must have none. A delivery that is handled at the same moment elsewhere
 * is waited for.
 */
export async function recordOnce(
  tx: Executor,
  group: string,
  eventId: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into inbox (consumer_group, event_id)
     values ($1, $2)
     on conflict do nothing`,
    [group, eventId],
  );
  return rowCount === 1;
}

export interface Arrival {
  readonly eventId: string;
  /** What keeps its order within the topic. */
  readonly key: string;
}

export interface Admission {
  /** The events that are new to the group, and noted as {@link recordOnce} does. */
  readonly admitted: ReadonlySet<string>;
  /** By key, the event that it waits for. Nothing is admitted then. */
  readonly waiting: ReadonlyMap<string, string>;
}

/**
 * Notes all of the events in one round trip, unless a key of them waits for an
 * event in retry. Such a key stays as it is until the transaction ends.
 */
export async function admitAll(
  tx: Executor,
  group: string,
  topic: string,
  arrivals: readonly Arrival[],
): Promise<Admission> {
  const { rows } = await tx.query<{
    admitted: string[];
    keys: string[];
    events: string[];
  }>(
    `with waiting as (
       select key, event_id
       from parked_key
       where consumer_group = $1 and topic = $2 and key = any($4::text[])
       for share
     ), admitted as (
       insert into inbox (consumer_group, event_id)
       select $1, event_id
       from unnest($3::text[]) as arrived (event_id)
       where not exists (select from waiting)
       on conflict do nothing
       returning event_id
     )
     select array(select event_id from admitted) as admitted,
            array(select key from waiting order by key) as keys,
            array(select event_id from waiting order by key) as events`,
    [
      group,
      topic,
      arrivals.map(({ eventId }) => eventId),
      [...new Set(arrivals.map(({ key }) => key))],
    ],
    { prepare: true },
  );
  const [row] = rows;
  return {
    admitted: new Set(row?.admitted),
    waiting: new Map(
      row?.keys.map((key, index) => [key, row.events[index] ?? ""]),
    ),
  };
}

/** Forgets one small batch of the group's events received longer ago than `retentionMs`. Answers how many. */
export async function pruneInbox(
  db: Executor,
  group: string,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from inbox
     where (consumer_group, event_id) in (
       select consumer_group, event_id
       from inbox
       where received_at < clock_timestamp() - $2 * interval '1 millisecond'
         and consumer_group = $1
       order by received_at
       limit $3
     )`,
    [group, retentionMs, limit],
  );
  return rowCount;
}
