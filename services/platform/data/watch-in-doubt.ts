import { metrics } from "@opentelemetry/api";
import type { Logger } from "../runtime/logger.ts";
import { sleep } from "./backoff.ts";
import { listPrepared, pruneBarriers } from "./branch-store.ts";
import type { Executor } from "./executor.ts";

export interface WatchInDoubtDeps {
  readonly db: Executor;
  readonly logger: Logger;
  readonly participant: string;
  readonly now: () => Date;
}

/** Decided branches end within milliseconds, and a dead coordinator's within ten seconds. */
const ALARM_AGE_MS = 10_000;
const EVERY_MS = 2_000;
const LIMIT = 1_000;
const PRUNE_EVERY = 30;
const PRUNE_BATCH = 1_000;
/** Far longer than any Prepare or Rollback may be late; a Commit may come at any time, and finds what it is about. */
const KEEP_MS = 7 * 86_400_000;

/**
 * Measures the participant's branches that are in doubt, until `stop` aborts: how many, and how old the oldest is. Past 10
 * seconds it is an error in the log as well, for it concerns everybody: a prepared transaction keeps its locks, and holds
 * back vacuum and every reader of snapshots in the whole cluster, other databases included. Old barrier rows are pruned.
 */
export async function watchInDoubt(
  deps: WatchInDoubtDeps,
  stop: AbortSignal,
): Promise<void> {
  const gauges = createInDoubtMetrics(deps.participant);
  try {
    for (let round = 1; !stop.aborted; round += 1) {
      // A failure keeps the last figures: an outage must not look like an all-clear.
      await look(deps, gauges, round).catch((error: unknown) =>
        deps.logger.warn({ err: error }, "branches in doubt can't be read"),
      );
      await sleep(EVERY_MS * (0.5 + Math.random()), stop).catch(
        () => undefined,
      );
    }
  } finally {
    gauges.close();
  }
}

async function look(
  deps: WatchInDoubtDeps,
  gauges: InDoubtMetrics,
  round: number,
): Promise<void> {
  const { db, participant, logger } = deps;
  const branches = await listPrepared(db, participant, undefined, LIMIT);
  const [oldest] = branches;
  const ageMs = oldest ? deps.now().getTime() - oldest.preparedAt.getTime() : 0;
  gauges.observe(branches.length, ageMs / 1_000);
  if (oldest && ageMs > ALARM_AGE_MS) {
    const { transaction, epoch } = oldest;
    logger.error(
      { transaction, epoch: `${epoch}`, ageMs, branches: branches.length },
      "a prepared transaction is in doubt for too long",
    );
  }
  if (round % PRUNE_EVERY === 0) await pruneBarriers(db, KEEP_MS, PRUNE_BATCH);
}

interface InDoubtMetrics {
  observe(count: number, oldestSeconds: number): void;
  close(): void;
}

function createInDoubtMetrics(participant: string): InDoubtMetrics {
  const meter = metrics.getMeter("weft.data");
  const count = meter.createObservableGauge("weft.transaction.in_doubt", {
    description: "Prepared branches that wait for their decision",
    unit: "{branch}",
  });
  const age = meter.createObservableGauge(
    "weft.transaction.in_doubt.oldest_age",
    { description: "Age of the oldest prepared branch", unit: "s" },
  );
  let last: { readonly count: number; readonly age: number } | undefined;
  const attributes = { "weft.participant": participant };
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    // Before the first look there is nothing to tell, and least of all that nothing is in doubt.
    if (last === undefined) return;
    result.observe(count, last.count, attributes);
    result.observe(age, last.age, attributes);
  };
  meter.addBatchObservableCallback(report, [count, age]);
  return {
    observe(branches, oldestSeconds) {
      last = { count: branches, age: oldestSeconds };
    },
    close: () => meter.removeBatchObservableCallback(report, [count, age]),
  };
}
