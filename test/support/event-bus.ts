import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import type { EventBus } from "../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../services/platform/events/kafka-bus.ts";
import { silentLogger } from "./silent-logger.ts";

/** A bus on the run's Kafka whose topics nobody else sees: each carries a prefix, on the broker only. */
export function setupEventBus(): EventBus {
  const prefix = `t${randomBytes(6).toString("hex")}-`;
  const bus = createKafkaBus({
    brokers: inject("kafkaBrokers"),
    clientId: "test",
    logger: silentLogger,
    partitions: 3,
    // The shortest that a broker allows by default.
    sessionTimeoutMs: 6_000,
  });
  return {
    produce: (records) =>
      bus.produce(
        records.map((each) => ({ ...each, topic: prefix + each.topic })),
      ),
    consume: (options) =>
      bus.consume({
        ...options,
        group: prefix + options.group,
        topics: options.topics.map((topic) => prefix + topic),
        handle: (batch) => {
          const topic = batch.topic.slice(prefix.length);
          return options.handle({
            ...batch,
            topic,
            records: batch.records.map((each) => ({ ...each, topic })),
          });
        },
      }),
    async listTopics() {
      const topics = await bus.listTopics();
      return topics
        .filter((topic) => topic.startsWith(prefix))
        .map((topic) => topic.slice(prefix.length));
    },
    retentionMs: (topics) =>
      bus.retentionMs(topics.map((topic) => prefix + topic)),
    close: () => bus.close(),
    [Symbol.asyncDispose]: () => bus.close(),
  };
}
