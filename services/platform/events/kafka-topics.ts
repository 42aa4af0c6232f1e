import type { Admin, Kafka } from "kafkajs";
import { fullJitter, sleep } from "../data/backoff.ts";

export interface TopicEnsurer {
  /** Creates those topics that do not exist. Asks the broker once a topic. */
  ensure(topics: readonly string[]): Promise<void>;
  /** Asks the broker again next time: the topics may be gone, as after a reset of the cluster. */
  forget(topics: readonly string[]): void;
  close(): Promise<void>;
}

export interface TopicDefaults {
  readonly partitions?: number;
  readonly retentionMs?: number;
}

const DAY_MS = 86_400_000;
const READY_ATTEMPTS = 20;

/** Creates topics before their first use: a broker that creates them by itself gives them one partition. */
export function createTopicEnsurer(
  kafka: Kafka,
  defaults: TopicDefaults,
): TopicEnsurer {
  // Bounded by the topics that the code names.
  const known = new Map<string, Promise<void>>();
  return {
    async ensure(topics) {
      const missing = [...new Set(topics)].filter((topic) => !known.has(topic));
      if (missing.length > 0) {
        const created = createTopics(kafka.admin(), missing, defaults);
        for (const topic of missing) known.set(topic, created);
        created.catch(() => {
          for (const topic of missing) known.delete(topic);
        });
      }
      for (const topic of topics) await known.get(topic);
    },
    forget(topics) {
      for (const topic of topics) known.delete(topic);
    },
    async close() {
      await Promise.allSettled(known.values());
    },
  };
}

async function createTopics(
  admin: Admin,
  topics: readonly string[],
  defaults: TopicDefaults,
): Promise<void> {
  await admin.connect();
  try {
    // Asked first, as kafkajs reports a topic that exists as an error in its log.
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      // Its wait gives up on a broker that does not know the topic yet.
      waitForLeaders: false,
      timeout: 10_000,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: defaults.partitions ?? 6,
        // The broker's own default: 1 on a laptop, 3 in a cluster.
        replicationFactor: -1,
        configEntries: [
          {
            name: "retention.ms",
            value: String(defaults.retentionMs ?? 14 * DAY_MS),
          },
        ],
      })),
    });
    await untilReady(admin, missing);
  } finally {
    await admin.disconnect();
  }
}

/** A created topic takes some 10 ms until a broker knows it and it has leaders. */
async function untilReady(
  admin: Admin,
  topics: readonly string[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await admin.fetchTopicMetadata({ topics: [...topics] });
      return;
    } catch (error) {
      if (attempt >= READY_ATTEMPTS) throw error;
      await sleep(fullJitter(attempt, 20, 500));
    }
  }
}
