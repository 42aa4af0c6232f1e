import type { Executor } from "../../platform/data/executor.ts";
import { recordSet } from "../../platform/data/record-set.ts";
import type { TimelineEntry } from "../domain/timeline.ts";

/** An event, and whose timeline it belongs to. */
export interface TimelineEvent extends TimelineEntry {
  readonly orderId: string;
}

/** Adds events to their orders' timelines. One that is there already stays. */
export async function insertTimelineEntries(
  db: Executor,
  events: readonly TimelineEvent[],
): Promise<void> {
  const rows = events.map((event) => ({
    order_id: event.orderId,
    event_id: event.eventId,
    type: event.type,
    source: event.source,
    event_time: event.eventTime,
    receive_time: event.receiveTime,
    trace_id: event.traceId,
  }));
  await db.query(
    `insert into order_timeline (
       order_id, event_id, type, source, event_time, receive_time, trace_id
     )
     select order_id, event_id, type, source, event_time, receive_time, trace_id
     from json_to_recordset($1) as entry (
       order_id uuid, event_id text, type text, source text, event_time timestamptz, receive_time timestamptz,
       trace_id text
     )
     on conflict (order_id, event_id) do nothing`,
    [recordSet(rows)],
  );
}

/** The events of an order, by time. Bounded: an order has about a dozen. */
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
     order by event_time
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
