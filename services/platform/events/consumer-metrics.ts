import { metrics } from "@opentelemetry/api";
import type { TopicPartition } from "./event-bus.ts";
import type { Outcome } from "./process-record.ts";

export interface ConsumerMetrics {
  consumed(record: TopicPartition, outcome: Outcome): void;
  retried(record: TopicPartition): void;
  deadLettered(record: TopicPartition): void;
  lag(record: TopicPartition, events: bigint): void;
  close(): void;
}

export function createConsumerMetrics(group: string): ConsumerMetrics {
  const meter = metrics.getMeter("weft.events");
  const consumed = meter.createCounter("weft.consumer.events", {
    description: "Events that were settled, by outcome",
    unit: "{event}",
  });
  const retries = meter.createCounter("weft.consumer.retries", {
    description: "Tries of an event that failed and are repeated",
    unit: "{attempt}",
  });
  const lag = meter.createObservableGauge("weft.consumer.lag", {
    description:
      "Events of the partition behind the last one settled, as of then",
    unit: "{event}",
  });
  const labels = ({ topic }: TopicPartition) => ({
    "messaging.consumer.group.name": group,
    "messaging.destination.name": topic,
  });
  // Bounded by the partitions of the topics.
  const lags = new Map<string, { record: TopicPartition; events: bigint }>();
  const report: Parameters<typeof lag.addCallback>[0] = (result) => {
    for (const { record, events } of lags.values()) {
      result.observe(Number(events), {
        ...labels(record),
        "messaging.destination.partition.id": String(record.partition),
      });
    }
  };
  lag.addCallback(report);
  return {
    consumed: (record, outcome) =>
      consumed.add(1, { ...labels(record), outcome }),
    deadLettered: (record) =>
      consumed.add(1, { ...labels(record), outcome: "dead-letter" }),
    retried: (record) => retries.add(1, labels(record)),
    lag: (record, events) =>
      void lags.set(`${record.topic}/${record.partition}`, { record, events }),
    close: () => lag.removeCallback(report),
  };
}
