import type { Admin, Kafka } from "kafkajs";
import { fullJitter, sleep } from "../data/backoff.ts";

export interface TopicEnsurer {
  /** Creates those topics that do not exist. Asks the broker once a topic. */
  ensure(topics: readonly string[]): Promise<void>;
  /** Every topic of the broker but its own. */
  list(): Promise<readonly string[]>;
  /** The longest retention of the topics, in milliseconds; infinite where one keeps all. */
  retentionMs(topics: readonly string[]): Promise<number>;
  /** Asks the broker again next time: the topics may be gone, as after a reset of the cluster. */
  forget(topics: readonly string[]): void;
  close(): Promise<void>;
}

export interface TopicDefaults {
  readonly partitions?: number;
  readonly retentionMs?: number;
}

const DAY_MS = 86_400_000;
/** The parked copy of an event is the truth, so its retry topic need not keep it for long. */
const RETRY_RETENTION_MS = DAY_MS;
/** `ConfigResourceTypes.TOPIC`, which kafkajs gives to CommonJS alone. */
const TOPIC_RESOURCE = 2;
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
        const created = withAdmin(kafka, (admin) =>
          createTopics(admin, missing, defaults),
        );
        for (const topic of missing) known.set(topic, created);
        created.catch(() => {
          for (const topic of missing) known.delete(topic);
        });
      }
      for (const topic of topics) await known.get(topic);
    },
    list: () =>
      withAdmin(kafka, async (admin) =>
        (await admin.listTopics()).filter((topic) => !topic.startsWith("__")),
      ),
    async retentionMs(topics) {
      await this.ensure(topics);
      return withAdmin(kafka, (admin) => longestRetention(admin, topics));
    },
    forget(topics) {
      for (const topic of topics) known.delete(topic);
    },
    async close() {
      await Promise.allSettled(known.values());
    },
  };
}

async function withAdmin<T>(
  kafka: Kafka,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function longestRetention(
  admin: Admin,
  topics: readonly string[],
): Promise<number> {
  if (topics.length === 0) return 0;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({
      type: TOPIC_RESOURCE,
      name,
      configNames: ["retention.ms"],
    })),
  });
  const kept = resources.flatMap(({ configEntries }) =>
    configEntries.map(({ configValue }) => Number(configValue)),
  );
  return kept.some((ms) => ms < 0)
    ? Number.POSITIVE_INFINITY
    : Math.max(0, ...kept);
}

async function createTopics(
  admin: Admin,
  topics: readonly string[],
  defaults: TopicDefaults,
): Promise<void> {
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
          value: String(retentionOf(topic, defaults)),
        },
      ],
    })),
  });
  await untilReady(admin, missing);
}

function retentionOf(topic: string, defaults: TopicDefaults): number {
  const retentionMs = defaults.retentionMs ?? 14 * DAY_MS;
  return /\.retry\.\d+$/.test(topic)
    ? Math.min(retentionMs, RETRY_RETENTION_MS)
    : retentionMs;
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
