import type { EventBus } from "../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../services/platform/events/kafka-bus.ts";
import { silentLogger } from "./silent-logger.ts";

/** A bus whose topics and groups carry a prefix, on the broker only. Processes that know the prefix share them. */
export function openPrefixedBus(
  brokers: readonly string[],
  prefix: string,
): EventBus {
  const bus = createKafkaBus({
    brokers,
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
