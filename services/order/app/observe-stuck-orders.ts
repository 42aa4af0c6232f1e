import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import { measureStuckOrders } from "../store/stuck-orders.ts";
import { measureUnsettled } from "../store/unsettled-orders.ts";
import { listInDoubt, type ListInDoubtDeps } from "./list-in-doubt.ts";

const EVERY_MS = 15_000;

interface Seen {
  readonly unsettled: number;
  readonly oldestSeconds: number;
  readonly needAttention: number;
  readonly inDoubtSeconds: number;
}

/** Reports what does not end by itself, until `stop` aborts. What is shown is what was last seen. */
export async function observeStuckOrders(
  deps: ListInDoubtDeps,
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
    "How long the oldest prepared branch of all participants that answer has waited",
    "s",
  );
  const all = [unsettled, oldest, attention, inDoubt];
  let seen: Seen | undefined;
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    if (seen === undefined) return;
    result.observe(unsettled, seen.unsettled);
    result.observe(oldest, seen.oldestSeconds);
    result.observe(attention, seen.needAttention);
    result.observe(inDoubt, seen.inDoubtSeconds);
  };
  meter.addBatchObservableCallback(report, all);
  while (!stop.aborted) {
    try {
      seen = await look(deps);
    } catch (error) {
      deps.logger.debug({ err: error }, "stuck orders not measured");
    }
    await sleep(EVERY_MS * (0.5 + Math.random()), stop).catch(() => undefined);
  }
  meter.removeBatchObservableCallback(report, all);
}

async function look(deps: ListInDoubtDeps): Promise<Seen> {
  const { count, oldestSeconds } = await measureUnsettled(deps.db);
  const stuck = await measureStuckOrders(deps.db);
  return {
    unsettled: count,
    oldestSeconds,
    needAttention: stuck.count,
    inDoubtSeconds: await measureInDoubt(deps),
  };
}

/** 0 where no participant answers: their absence is told by the breakers. */
async function measureInDoubt(deps: ListInDoubtDeps): Promise<number> {
  try {
    const [oldest] = (await listInDoubt(deps, 0)).transactions;
    return oldest ? (+deps.now() - +oldest.oldestAt) / 1_000 : 0;
  } catch {
    return 0;
  }
}
