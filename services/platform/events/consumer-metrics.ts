import { metrics } from "@opentelemetry/api";
import type { TopicPartition } from "./event-bus.ts";
import type { Parking } from "./parked-events.ts";
import type { Outcome } from "./process-record.ts";

export interface ConsumerMetrics {
  consumed(record: TopicPartition, outcome: Outcome, count?: number): void;
  retried(record: TopicPartition): void;
  deadLettered(record: TopicPartition, reason: string): void;
  lag(record: TopicPartition, events: bigint): void;
  parking(parking: Parking): void;
  close(): void;
}

export function createConsumerMetrics(
  group: string,
  isHeld: () => boolean,
): ConsumerMetrics {
  const meter = metrics.getMeter("weft.events");
  const consumed = meter.createCounter("weft.consumer.events", {
    description: "Events that were settled, by outcome",
    unit: "{event}",
  });
  const retries = meter.createCounter("weft.consumer.retries", {
    description: "Tries of an event that failed and are repeated",
    unit: "{attempt}",
  });
  const deadLetters = meter.createCounter("weft.consumer.dead_letters", {
    description: "Events that were given up, by reason",
    unit: "{event}",
  });
  const labels = ({ topic }: TopicPartition) => ({
    "messaging.consumer.group.name": group,
    "messaging.destination.name": topic,
  });
  const gauges = createGauges(group, isHeld, labels);
  return {
    consumed: (record, outcome, count = 1) =>
      consumed.add(count, { ...labels(record), outcome }),
    deadLettered(record, reason) {
      consumed.add(1, { ...labels(record), outcome: "dead-letter" });
      deadLetters.add(1, { ...labels(record), reason });
    },
    retried: (record) => retries.add(1, labels(record)),
    ...gauges,
  };
}

/** What is shown is what was last seen, so a scrape costs no query. */
function createGauges(
  group: string,
  isHeld: () => boolean,
  labels: (record: TopicPartition) => Record<string, string>,
): Pick<ConsumerMetrics, "lag" | "parking" | "close"> {
  const meter = metrics.getMeter("weft.events");
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(name, { description, unit });
  const lag = gauge(
    "weft.consumer.lag",
    "Events of the partition behind the last one settled, as of then",
    "{event}",
  );
  const keys = gauge(
    "weft.consumer.retry_depth",
    "Events that wait in retry, one a key, counted up to 10,000",
    "{event}",
  );
  const parked = gauge(
    "weft.consumer.parked_events",
    "Events that wait behind one of their key in retry, counted up to 10,000",
    "{event}",
  );
  const age = gauge(
    "weft.consumer.retry_age",
    "Age of the first failure that still waits in retry",
    "s",
  );
  const held = gauge(
    "weft.consumer.held",
    "1 while the group waits for its database or another dependency",
    "{group}",
  );
  // Bounded by the partitions of the topics.
  const lags = new Map<string, { record: TopicPartition; events: bigint }>();
  let parking: Parking = { keys: 0, events: 0, oldestSeconds: 0 };
  const all = [lag, keys, parked, age, held];
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    for (const { record, events } of lags.values()) {
      result.observe(lag, Number(events), {
        ...labels(record),
        "messaging.destination.partition.id": String(record.partition),
      });
    }
    const ofGroup = { "messaging.consumer.group.name": group };
    result.observe(keys, parking.keys, ofGroup);
    result.observe(parked, parking.events - parking.keys, ofGroup);
    result.observe(age, parking.oldestSeconds, ofGroup);
    result.observe(held, isHeld() ? 1 : 0, ofGroup);
  };
  meter.addBatchObservableCallback(report, all);
  return {
    lag: (record, events) =>
      void lags.set(`${record.topic}/${record.partition}`, { record, events }),
    parking: (now) => void (parking = now),
    close: () => meter.removeBatchObservableCallback(report, all),
  };
}
