import type { Executor } from "../../platform/data/executor.ts";
import type { TimelineEntry } from "../domain/timeline.ts";

/** Adds an event to an order's timeline. */
export async function insertTimelineEntry(
  db: Executor,
  orderId: string,
  entry: TimelineEntry,
): Promise<void> {
  await db.query(
    `insert into order_timeline (
       order_id, event_id, type, source, event_time, receive_time, trace_id
     )
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (order_id, event_id) do nothing`,
    [
      orderId,
      entry.eventId,
      entry.type,
      entry.source,
      entry.eventTime,
      entry.receiveTime,
      entry.traceId,
    ],
  );
}

/** The events of an order, oldest first. Bounded: an order has about a dozen. */
export async function findTimeline(
  db: Executor,
  orderId: string,
): Promise<TimelineEntry[]> {
  const { rows } = await db.query<{
    event_id: string;
    type: string;
    source: string;
    event_time: Date;
    receive_time: Date;
    trace_id: string;
  }>(
    `select event_id, type, source, event_time, receive_time, trace_id
     from order_timeline
     where order_id = $1
     order by event_time, event_id
     limit 200`,
    [orderId],
  );
  return rows.map((row) => ({
    eventId: row.event_id,
    type: row.type,
    source: row.source,
    eventTime: row.event_time,
    receiveTime: row.receive_time,
    traceId: row.trace_id,
  }));
}
