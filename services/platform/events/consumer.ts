import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import { topicOf } from "./cloud-event.ts";
import { createConsumerMetrics } from "./consumer-metrics.ts";
import type { EventBus, PartitionBatch, TopicPartition } from "./event-bus.ts";
import type { EventHandler } from "./event-handler.ts";
import type { RetryPolicy } from "./failure-policy.ts";
import { pruneInbox } from "./inbox.ts";
import { pruneInBatches } from "./prune.ts";
import { type SettleDeps, settleRecord } from "./settle-record.ts";

export interface ConsumerOptions {
  readonly db: Database;
  readonly bus: EventBus;
  readonly logger: Logger;
  /** The consumer group: members share the partitions, and the inbox is per group. */
  readonly group: string;
  /** One handler a type; other types in the topics are skipped. */
  readonly handlers: readonly EventHandler[];
  /** The packages of the handlers' types when left out. */
  readonly topics?: readonly string[];
  /** Partitions at the same time. Default 4; keep it below the size of the pool. */
  readonly concurrency?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Must exceed the time that the topics and dead-letter topics keep events. Default 30 days. */
  readonly inboxRetentionMs?: number;
}

export interface Consumer extends AsyncDisposable {
  assigned(): readonly TopicPartition[];
  /** Finishes the events in hand, commits, and leaves the group. */
  stop(): Promise<void>;
}

/**
 * Consumes events so that each has its effect once: the inbox row and the
 * effect are one transaction, and the offset is committed after it. Within a
 * partition one event at a time, in order; partitions in parallel.
 *
 * An event whose handler throws is retried in place, with backoff, while later
 * events of its partition wait; or it goes to `<topic>.<group>.dlt`, and the
 * later ones go on: `failure-policy.ts` says which.
 */
export function startConsumer(options: ConsumerOptions): Consumer {
  const topics = options.topics ?? [
    ...new Set(options.handlers.map(({ type }) => topicOf(type))),
  ];
  const metrics = createConsumerMetrics(options.group);
  const deps: SettleDeps = {
    ...options,
    byType: indexByType(options.handlers),
    metrics,
    policy: { maxAttempts: 8, baseMs: 100, capMs: 30_000, ...options.retry },
    failing: new Map(),
  };
  const stopping = new AbortController();
  const consumption = options.bus.consume({
    group: options.group,
    topics,
    concurrency: options.concurrency ?? 4,
    handle: (batch) => handleBatch(deps, batch),
  });
  const pruning = pruneInBatches(
    { logger: options.logger, name: "inbox" },
    (limit) =>
      pruneInbox(
        options.db,
        options.group,
        options.inboxRetentionMs ?? 30 * 86_400_000,
        limit,
      ),
    stopping.signal,
  );
  const stop = async (): Promise<void> => {
    stopping.abort(new Error("consumer stopped"));
    await Promise.all([consumption.close(), pruning]);
    metrics.close();
  };
  return {
    assigned: () => consumption.assigned(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const COMMIT_EVERY_MS = 1_000;

async function handleBatch(
  deps: SettleDeps,
  batch: PartitionBatch,
): Promise<void> {
  let committedAt = performance.now();
  try {
    for (const [index, record] of batch.records.entries()) {
      if (batch.signal.aborted) break;
      const settled = await settleRecord(deps, record, batch.signal);
      if (settled.kind === "again") {
        batch.pauseFor(settled.afterMs);
        break;
      }
      batch.markDone(record);
      const behind = batch.records.length - index - 1;
      deps.metrics.lag(record, batch.remaining + BigInt(behind));
      if (performance.now() - committedAt > COMMIT_EVERY_MS) {
        await batch.commit();
        committedAt = performance.now();
      }
    }
  } finally {
    await batch.commit();
  }
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
