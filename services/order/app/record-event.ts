import type { Executor } from "../../platform/data/executor.ts";
import type { TimelineEntry } from "../domain/timeline.ts";
import { insertTimelineEntry } from "../store/order-timeline.ts";

/** Writes an event that came back from Kafka into its order's timeline. */
export async function recordEvent(
  deps: { readonly now: () => Date },
  tx: Executor,
  orderId: string,
  event: Omit<TimelineEntry, "receiveTime">,
): Promise<void> {
  await insertTimelineEntry(tx, orderId, { ...event, receiveTime: deps.now() });
}
