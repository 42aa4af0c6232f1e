import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";

const GROUPS = [
  "order-timeline",
  "order-choreography",
  "inventory-choreography",
  "payment-choreography",
];
const TOPICS = ["weft.order.v1", "weft.inventory.v1", "weft.payment.v1"];
const JOIN_DEADLINE_MS = 5_000;

/**
 * Members join the groups of the services and leave them again, as in a rolling restart that goes wrong: each time all
 * partitions are given out anew, and those of a newcomer stand still until it leaves, for it handles nothing.
 */
export async function stormGroups(mesh: Mesh, forMs: number): Promise<void> {
  const kafka = new Kafka({
    brokers: [...mesh.components.kafka.brokers],
    clientId: "storm",
    logLevel: logLevel.NOTHING,
    retry: { retries: 2 },
  });
  const endsAt = performance.now() + forMs;
  await Promise.all(
    GROUPS.map(async (group) => {
      while (performance.now() < endsAt) {
        await visit(kafka, group).catch(() => undefined);
      }
    }),
  );
}

async function visit(kafka: Kafka, groupId: string): Promise<void> {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000 });
  const joined = Promise.withResolvers<void>();
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: TOPICS });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: () => Promise.resolve(),
    });
    await Promise.race([joined.promise, delay(JOIN_DEADLINE_MS)]);
    await delay(200 + Math.random() * 400);
  } finally {
    await consumer.disconnect();
  }
}
