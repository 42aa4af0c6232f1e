import type { Executor } from "../../platform/data/executor.ts";
import {
  insertTimelineEntries,
  type TimelineEvent,
} from "../store/order-timeline.ts";

/** Writes events that came back from Kafka into their orders' timelines. */
export function recordEvents(
  deps: { readonly now: () => Date },
  db: Executor,
  events: readonly Omit<TimelineEvent, "receiveTime">[],
): Promise<void> {
  const receiveTime = deps.now();
  return insertTimelineEntries(
    db,
    events.map((event) => ({ ...event, receiveTime })),
  );
}
