import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { pruneInBatches } from "../../platform/events/prune.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { countPending, pruneSettled } from "../store/dead-letters.ts";
import { pruneRequests } from "../store/requests.ts";

export interface KeepStoreDeps {
  readonly db: Executor;
  readonly logger: Logger;
  /** How long a settled dead letter stays listed. */
  readonly retentionMs: number;
}

const MEASURE_EVERY_MS = 10_000;
/** How long a request id is known. */
const REQUEST_RETENTION_MS = 7 * 86_400_000;

/** Counts what waits for a decision, and forgets what was settled long ago, until `stopping` aborts. Pending ones stay. */
export async function keepStore(
  deps: KeepStoreDeps,
  stopping: AbortSignal,
): Promise<void> {
  const { db, logger } = deps;
  await Promise.all([
    measurePending(deps, stopping),
    pruneInBatches(
      { logger, name: "dead_letters" },
      (limit) => pruneSettled(db, deps.retentionMs, limit),
      stopping,
    ),
    pruneInBatches(
      { logger, name: "requests" },
      (limit) => pruneRequests(db, REQUEST_RETENTION_MS, limit),
      stopping,
    ),
  ]);
}

async function measurePending(
  { db, logger }: KeepStoreDeps,
  stopping: AbortSignal,
): Promise<void> {
  const gauge = metrics
    .getMeter("weft.events")
    .createObservableGauge("weft.dead_letters.pending", {
      description: "Dead letters that wait for a decision",
      unit: "{event}",
    });
  // Bounded by the groups; a group that has none left is told as 0.
  const counts = new Map<string, number>();
  const report: Parameters<typeof gauge.addCallback>[0] = (result) => {
    for (const [group, count] of counts) {
      result.observe(count, { "messaging.consumer.group.name": group });
    }
  };
  gauge.addCallback(report);
  while (!stopping.aborted) {
    try {
      const pending = await countPending(db);
      for (const group of counts.keys()) counts.set(group, 0);
      for (const { group, count } of pending) counts.set(group, Number(count));
    } catch (error) {
      logger.warn({ err: error }, "pending dead letters not counted");
    }
    await sleep(MEASURE_EVERY_MS, stopping).catch(() => undefined);
  }
  gauge.removeCallback(report);
}
