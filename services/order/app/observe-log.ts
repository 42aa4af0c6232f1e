import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Executor } from "../../platform/data/executor.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { readLog } from "../store/order-log.ts";

const everyMs = 5_000;

export interface ObserveLogDeps {
  readonly db: Executor;
  readonly logger: Logger;
}

/** How far the oldest transaction under way holds back what watchers are told. */
export interface Gate {
  readonly xmin: bigint;
  /** Transactions that have begun since. */
  readonly age: bigint;
  /** When it was first seen to stand where it stands, in milliseconds; undefined where nothing is held back. */
  readonly since: number | undefined;
}

/** The gate as a snapshot shows it now, given how it was seen before. */
export function gateOf(
  snapshot: string,
  nowMs: number,
  before: Gate | undefined,
): Gate {
  const [xmin = 0n, xmax = 0n] = snapshot.split(":", 2).map(BigInt);
  const age = xmax - xmin;
  const isSame = before?.xmin === xmin && before.since !== undefined;
  return {
    xmin,
    age,
    since: age === 0n ? undefined : isSame ? before.since : nowMs,
  };
}

/**
 * Reports how long watchers wait for a transaction that does not end, until `stop` aborts: an idle writer, or one that was
 * prepared and forgotten, which holds back the whole cluster.
 */
export async function observeLog(
  { db, logger }: ObserveLogDeps,
  stop: AbortSignal,
): Promise<void> {
  const meter = metrics.getMeter("weft.order");
  const age = meter.createObservableGauge("weft.order.changes.xmin_age", {
    description: "Transactions begun since the oldest that is under way",
    unit: "{transaction}",
  });
  const held = meter.createObservableGauge("weft.order.changes.held_back", {
    description: "How long the same transaction has held back the log",
    unit: "s",
  });
  let gate: Gate | undefined;
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    if (gate === undefined) return;
    result.observe(age, Number(gate.age));
    const { since } = gate;
    const seconds =
      since === undefined ? 0 : (performance.now() - since) / 1_000;
    result.observe(held, seconds);
  };
  meter.addBatchObservableCallback(report, [age, held]);
  while (!stop.aborted) {
    await sleep(everyMs, stop).catch(() => undefined);
    try {
      const { snapshot } = await readLog(db);
      gate = gateOf(snapshot, performance.now(), gate);
    } catch (error) {
      if (stop.aborted) break;
      logger.warn({ err: error }, "the log of changes can't be observed");
    }
  }
  meter.removeBatchObservableCallback(report, [age, held]);
}
