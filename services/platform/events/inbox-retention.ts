import { fullJitter, sleep } from "../data/backoff.ts";
import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import type { EventBus } from "./event-bus.ts";
import { pruneInbox } from "./inbox.ts";
import { pruneInBatches } from "./prune.ts";

export interface InboxRetentionDeps {
  readonly db: Database;
  readonly bus: Pick<EventBus, "retentionMs">;
  readonly logger: Logger;
  readonly group: string;
}

/** Where an event of the group may still come from. */
export interface KeptIn {
  readonly topics: readonly string[];
  readonly retryTopics: readonly string[];
  readonly deadLetterTopics: readonly string[];
}

/**
 * Prunes the group's inbox, once it knows how long: an event that was forgotten
 * while Kafka may still deliver it would have a second effect. An event can be
 * read at the end of its topic's retention, wait as long in retry, and be sent
 * back from the dead letters at the end of theirs, so the three add up.
 * Nothing is pruned until the broker has told them.
 */
export async function pruneInboxWhenSafe(
  deps: InboxRetentionDeps,
  keptIn: KeptIn,
  configuredMs: number,
  stop: AbortSignal,
): Promise<void> {
  const deliverableMs = await untilKnown(deps, keptIn, stop);
  if (deliverableMs === undefined) return;
  if (deliverableMs === Number.POSITIVE_INFINITY) {
    deps.logger.warn(
      { group: deps.group },
      "a topic keeps its events for ever, so the inbox is never pruned",
    );
    return;
  }
  const keepMs = keepForMs(configuredMs, deliverableMs);
  if (keepMs > configuredMs) {
    deps.logger.warn(
      { group: deps.group, configuredMs, keepMs },
      "the inbox keeps events longer than configured: as long as they may be delivered",
    );
  }
  await pruneInBatches(
    { logger: deps.logger, name: "inbox" },
    (limit) => pruneInbox(deps.db, deps.group, keepMs, limit),
    stop,
  );
}

/** What is configured, if that is long enough. */
export function keepForMs(configuredMs: number, deliverableMs: number): number {
  return Math.max(configuredMs, deliverableMs);
}

/** The longest time between the first delivery of an event and the last. */
export async function deliverableForMs(
  bus: InboxRetentionDeps["bus"],
  keptIn: KeptIn,
): Promise<number> {
  const kept = [keptIn.topics, keptIn.retryTopics, keptIn.deadLetterTopics];
  let sum = 0;
  for (const topics of kept) sum += await bus.retentionMs(topics);
  return sum;
}

async function untilKnown(
  deps: InboxRetentionDeps,
  keptIn: KeptIn,
  stop: AbortSignal,
): Promise<number | undefined> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    try {
      return await deliverableForMs(deps.bus, keptIn);
    } catch (error) {
      deps.logger.debug({ err: error }, "retention not known yet");
      await sleep(fullJitter(attempt, 1_000, 30_000), stop).catch(
        () => undefined,
      );
    }
  }
  return undefined;
}
