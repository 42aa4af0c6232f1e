import { metrics } from "@opentelemetry/api";
import type { Backlog } from "./outbox-queue.ts";
import type { SlotRange } from "./relay-lease.ts";

export interface RelayMetrics {
  published(count: number): void;
  failed(): void;
  observe(range: SlotRange, backlog: Backlog): void;
  /** The range has another owner now, who reports it. */
  forget(range: SlotRange): void;
  close(): void;
}

/** Lag and backlog are those last measured by the owner, so a scrape costs no query. */
export function createRelayMetrics(): RelayMetrics {
  const meter = metrics.getMeter("weft.events");
  const published = meter.createCounter("weft.outbox.published", {
    description: "Events that the bus acknowledged",
    unit: "{event}",
  });
  const failures = meter.createCounter("weft.outbox.publish_failures", {
    description: "Tries to publish a batch that failed",
    unit: "{attempt}",
  });
  const lag = meter.createObservableGauge("weft.outbox.lag", {
    description: "Age of the oldest unpublished event",
    unit: "s",
  });
  const size = meter.createObservableGauge("weft.outbox.backlog", {
    description: "Unpublished events, counted up to 10,000 a range",
    unit: "{event}",
  });
  // Bounded by the ranges of one relay, 64 at most.
  const backlogs = new Map<number, Backlog>();
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    for (const [firstSlot, backlog] of backlogs) {
      const attributes = { "weft.outbox.first_slot": firstSlot };
      result.observe(lag, backlog.lagSeconds, attributes);
      result.observe(size, backlog.size, attributes);
    }
  };
  meter.addBatchObservableCallback(report, [lag, size]);
  return {
    published: (count) => published.add(count),
    failed: () => failures.add(1),
    observe: (range, backlog) => void backlogs.set(range.firstSlot, backlog),
    forget: (range) => void backlogs.delete(range.firstSlot),
    close: () => meter.removeBatchObservableCallback(report, [lag, size]),
  };
}
