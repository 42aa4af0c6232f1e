import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { measureStuckOrders } from "../store/stuck-orders.ts";
import { measureUnsettled } from "../store/unsettled-orders.ts";
import { oldestInDoubt, type OldestInDoubtDeps } from "./oldest-in-doubt.ts";

export interface ObserveStuckDeps extends OldestInDoubtDeps {
  readonly db: Executor;
}

const EVERY_MS = 15_000;

interface Seen {
  readonly unsettled: number;
  readonly oldestSeconds: number;
  readonly needAttention: number;
}

/** Reports what does not end by itself, until `stop` aborts. What is shown is what was last seen. */
export async function observeStuckOrders(
  deps: ObserveStuckDeps,
  stop: AbortSignal,
): Promise<void> {
  const meter = metrics.getMeter("weft.order");
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(name, { description, unit });
  const unsettled = gauge(
    "weft.orders.unsettled",
    "Orders that are not settled, counted up to 10,000",
    "{order}",
  );
  const oldest = gauge(
    "weft.orders.unsettled_age",
    "How long the unsettled order that waits longest has not changed",
    "s",
  );
  const attention = gauge(
    "weft.orders.needs_attention",
    "Orders that need a person, counted up to 10,000",
    "{order}",
  );
  const inDoubt = gauge(
    "weft.transactions.in_doubt_age",
    "How long the oldest prepared branch has waited, as each participant told last",
    "s",
  );
  const all = [unsettled, oldest, attention, inDoubt];
  const waiting = oldestInDoubt(deps);
  let seen: Seen | undefined;
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    const inDoubtSeconds = waiting.ageSeconds();
    if (inDoubtSeconds !== undefined) result.observe(inDoubt, inDoubtSeconds);
    if (seen === undefined) return;
    result.observe(unsettled, seen.unsettled);
    result.observe(oldest, seen.oldestSeconds);
    result.observe(attention, seen.needAttention);
  };
  meter.addBatchObservableCallback(report, all);
  while (!stop.aborted) {
    await waiting.look();
    try {
      seen = await look(deps);
    } catch (error) {
      deps.logger.debug({ err: error }, "stuck orders not measured");
    }
    await sleep(EVERY_MS * (0.5 + Math.random()), stop).catch(() => undefined);
  }
  meter.removeBatchObservableCallback(report, all);
}

async function look({ db }: ObserveStuckDeps): Promise<Seen> {
  const { count, oldestSeconds } = await measureUnsettled(db);
  const stuck = await measureStuckOrders(db);
  return { unsettled: count, oldestSeconds, needAttention: stuck.count };
}
