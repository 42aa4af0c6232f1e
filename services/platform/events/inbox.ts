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
  readonly topic: string;
  /** What keeps its order within the topic. */
  readonly key: string;
  /** Events of one number are admitted together, or none of them is. */
  readonly batch: number;
}

/** A key that waits for an event in retry. */
export type WaitingKey = Omit<Arrival, "batch">;

export interface Admission {
  /** The events that are new to the group, and noted as {@link recordOnce} does. */
  readonly admitted: ReadonlySet<string>;
  /** Nothing of their batches is admitted. */
  readonly waiting: readonly WaitingKey[];
}

/**
 * Notes all of the events in one round trip, but for the batches of which a key waits for an event in retry. Such a key
 * stays as it is until the transaction ends.
 */
export async function admitAll(
  tx: Executor,
  group: string,
  arrivals: readonly Arrival[],
): Promise<Admission> {
  const { rows } = await tx.query<{
    admitted: string[];
    waiting: WaitingKey[];
  }>(
    // In the order of their ids: two members that are told the same events never wait for each other in a ring.
    `with arrived as materialized (
       select event_id, topic, key, batch
       from unnest($2::text[], $3::text[], $4::text[], $5::integer[]) as arrived (event_id, topic, key, batch)
     ), waiting as materialized (
       select topic, key, event_id
       from parked_key
       where consumer_group = $1 and (topic, key) in (select topic, key from arrived)
       for share
     ), admitted as (
       insert into inbox (consumer_group, event_id)
       select $1, event_id
       from arrived
       where batch not in (select arrived.batch from arrived join waiting using (topic, key))
       order by event_id
       on conflict do nothing
       returning event_id
     )
     select array(select event_id from admitted) as admitted,
            (
              select coalesce(json_agg(json_build_object('eventId', event_id, 'topic', topic, 'key', key)), '[]')
              from waiting
            ) as waiting`,
    [
      group,
      arrivals.map(({ eventId }) => eventId),
      arrivals.map(({ topic }) => topic),
      arrivals.map(({ key }) => key),
      arrivals.map(({ batch }) => batch),
    ],
  );
  const [row] = rows;
  return {
    admitted: new Set(row?.admitted),
    waiting: row?.waiting ?? [],
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
