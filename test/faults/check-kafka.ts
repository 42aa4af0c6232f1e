import { randomUUID } from "node:crypto";
import type { IncomingRecord } from "../../services/platform/events/event-bus.ts";
import { createKafkaBus } from "../../services/platform/events/kafka-bus.ts";
import { eventually } from "../support/eventually.ts";
import { silentLogger } from "../support/silent-logger.ts";

const DEADLINE_MS = 60_000;

/**
 * Reads the topics from their beginning: every event that was published is there at least once, and each key's events
 * came first in the order of their versions. Second deliveries may come at any time.
 */
export async function kafkaFaults(
  where: { readonly brokers: readonly string[]; readonly topics: string[] },
  published: readonly string[],
  deadlineMs = DEADLINE_MS,
): Promise<string[]> {
  await using bus = createKafkaBus({
    brokers: where.brokers,
    clientId: "invariants",
    logger: silentLogger,
  });
  const seen = new Set<string>();
  const versions = new Map<string, bigint>();
  const faults: string[] = [];
  const look = ({ key, headers }: IncomingRecord): void => {
    const id = headers["ce_id"] ?? "";
    const version = BigInt(headers["ce_sequence"] ?? 0);
    const aggregate = `${headers["ce_source"]} ${key}`;
    if (seen.has(id)) return;
    seen.add(id);
    const before = versions.get(aggregate) ?? 0n;
    if (version > 0n && version <= before) {
      faults.push(`${aggregate}: version ${version} came after ${before}`);
    }
    versions.set(aggregate, version);
  };
  bus.consume({
    group: `invariants-${randomUUID()}`,
    topics: where.topics,
    handle(batch) {
      for (const record of batch.records) {
        look(record);
        batch.markDone(record);
      }
      return Promise.resolve();
    },
  });
  const missing = () => published.filter((id) => !seen.has(id));
  await eventually(
    "all are in Kafka",
    () => missing().length === 0,
    deadlineMs,
  ).catch(() => undefined);
  return [...faults, ...missing().map((id) => `${id} is not in Kafka`)];
}
