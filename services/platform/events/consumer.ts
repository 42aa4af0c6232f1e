import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import { topicOf } from "./cloud-event.ts";
import { createLane } from "../data/lane.ts";
import { consumeBatch } from "./consume-batch.ts";
import { createConsumerMetrics } from "./consumer-metrics.ts";
import { deadLetterTopic } from "./dead-letter.ts";
import type { EventBus, TopicPartition } from "./event-bus.ts";
import type { EventHandler } from "./event-handler.ts";
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from "./failure-policy.ts";
import { pruneInboxWhenSafe } from "./inbox-retention.ts";
import { keepParked } from "./keep-parked.ts";
import { createOutageGate } from "./outage-gate.ts";
import { createJoinedBatches } from "./process-batch.ts";
import type { ProcessRecordDeps } from "./process-record.ts";
import { retryTopic } from "./retry-topic.ts";
import type { SettleDeps } from "./settle-record.ts";

export interface ConsumerOptions {
  readonly db: Database;
  readonly bus: EventBus;
  readonly logger: Logger;
  /** The consumer group: members share the partitions, and the inbox is per group. */
  readonly group: string;
  /** One handler a type. Other types of the same contract files are skipped; all others are dead letters. */
  readonly handlers: readonly EventHandler[];
  /** The packages of the handlers' types when left out. */
  readonly topics?: readonly string[];
  /** Partitions that are handled at the same time, but for those in one batch. Default 4; keep it below the size of the pool. */
  readonly concurrency?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Records that a batch handler is given at most. Default 100. */
  readonly batchSize?: number;
  /** How long after one fetch the next begins. Default 10 ms; where a second does not matter, 1,000 makes large batches. */
  readonly fetchEveryMs?: number;
  /** Events that one key may park while an earlier one waits in retry; more hold its partition. Default 1,000. */
  readonly maxParkedPerKey?: number;
  /** How often parked events are looked after and measured. Default 5 s. */
  readonly keepEveryMs?: number;
  /** Raised to the time that topic, retry topics and dead-letter topics keep an event. Default 30 days. */
  readonly inboxRetentionMs?: number;
  /** By which events are due again. The database's clock in services: their machines' clocks differ, and jump. */
  readonly now?: () => Date;
}

/** All of a fetch, so that those that take batches are one batch; the others wait for each other here. */
const PARTITIONS_AT_ONCE = 64;

export interface Consumer extends AsyncDisposable {
  assigned(): readonly TopicPartition[];
  /** Finishes the events in hand, commits, and leaves the group. */
  stop(): Promise<void>;
}

/**
 * Consumes events so that each has its effect once: the inbox row and the
 * effect are one transaction, and the offset is committed after it. Within a
 * partition one event at a time, in order, and partitions in parallel; or all of
 * them in one batch.
 *
 * What fails never stops others, and never overtakes its own key: an event
 * whose handler throws is tried again in place, then waits in the group's retry
 * topics (`<group>.retry.<n>`), each with its delay, while later events of its
 * key are parked in the database behind it; at last, or at once where another
 * try can't help, it goes to `<topic>.<group>.dlt`. `failure-policy.ts` says
 * which. While our own database or another dependency is down the whole group
 * waits, and no attempts are burnt.
 */
export function startConsumer(options: ConsumerOptions): Consumer {
  const { db, bus, logger, group } = options;
  const topics = options.topics ?? [
    ...new Set(options.handlers.map(({ type }) => topicOf(type))),
  ];
  const gate = createOutageGate();
  const metrics = createConsumerMetrics(group, () => gate.closed);
  const policy = { ...DEFAULT_RETRY_POLICY, ...options.retry };
  const processing: ProcessRecordDeps = {
    db,
    logger,
    group,
    byType: indexByType(options.handlers),
    known: new Set(options.handlers.flatMap(({ known }) => known)),
    maxParkedPerKey: options.maxParkedPerKey ?? 1_000,
  };
  const deps: SettleDeps = {
    ...processing,
    bus,
    metrics,
    policy,
    gate,
    joined: createJoinedBatches(processing),
    lane: createLane(options.concurrency ?? 4),
    now: options.now ?? (() => new Date()),
  };
  const retryTopics = policy.delaysMs.map((_, index) =>
    retryTopic(group, index + 1),
  );
  const stopping = new AbortController();
  const { signal } = stopping;
  const consumption = bus.consume({
    group,
    topics: [...topics, ...retryTopics],
    concurrency: PARTITIONS_AT_ONCE,
    ...(options.fetchEveryMs !== undefined && {
      fetchEveryMs: options.fetchEveryMs,
    }),
    handle: (batch) =>
      consumeBatch(deps, batch, {
        size: options.batchSize ?? 100,
        isRetry: retryTopics.includes(batch.topic),
      }),
  });
  const keptIn = {
    topics,
    retryTopics,
    deadLetterTopics: topics.map((topic) => deadLetterTopic(topic, group)),
  };
  const inboxMs = options.inboxRetentionMs ?? 30 * 86_400_000;
  const tasks = [
    pruneInboxWhenSafe({ db, bus, logger, group }, keptIn, inboxMs, signal),
    keepParked(
      {
        db,
        bus,
        logger,
        group,
        metrics,
        everyMs: options.keepEveryMs ?? 5_000,
      },
      signal,
    ),
  ];
  const stop = async (): Promise<void> => {
    stopping.abort(new Error("consumer stopped"));
    await Promise.all([consumption.close(), ...tasks]);
    metrics.close();
  };
  return {
    assigned: () => consumption.assigned(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function indexByType(
  handlers: readonly EventHandler[],
): Map<string, EventHandler> {
  const byType = new Map<string, EventHandler>();
  for (const handler of handlers) {
    if (byType.has(handler.type)) {
      throw new Error(`two handlers for ${handler.type} in one group`);
    }
    byType.set(handler.type, handler);
  }
  return byType;
}
