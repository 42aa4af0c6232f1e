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
