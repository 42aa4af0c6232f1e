import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { countOpenFindings } from "../store/findings.ts";
import {
  claimReconciliation,
  saveProgress,
} from "../store/reconciliation-progress.ts";
import {
  recheckFindings,
  reconcileSpan,
  type Reconciled,
  type ReconcileDeps,
} from "./reconcile-span.ts";

export interface ReconciliationDeps extends ReconcileDeps {
  readonly logger: Logger;
  /** How old a payment is when it is compared: by then it is settled, or something is wrong. */
  readonly reconcileAfterMs: number;
  readonly reconcileIntervalMs: number;
}

/** Bounds what a comparison remembers, and how much a crash repeats. */
const sliceMs = 5 * 60_000;
const recheckLimit = 50;

/** Compares our books with the provider's report as time goes by, until `stop` aborts. One process at a time does. */
export async function runReconciliation(
  deps: ReconciliationDeps,
  stop: AbortSignal,
): Promise<void> {
  const measured = observe(deps);
  while (!stop.aborted) {
    const pauseMs = deps.reconcileIntervalMs * (0.5 + Math.random());
    await sleep(pauseMs, stop).catch(() => undefined);
    if (stop.aborted) break;
    try {
      await reconcileDue(deps, measured, stop);
    } catch (error) {
      deps.logger.warn({ err: error }, "reconciliation failed, goes on later");
    }
  }
  measured.close();
}

async function reconcileDue(
  deps: ReconciliationDeps,
  measured: Measured,
  stop: AbortSignal,
): Promise<void> {
  const now = deps.now();
  const end = now.getTime() - deps.reconcileAfterMs;
  const until = new Date(now.getTime() + 2 * deps.reconcileIntervalMs);
  const claimed = await claimReconciliation(deps.db, {
    now,
    until,
    start: new Date(end - sliceMs),
  });
  if (claimed === undefined) return;
  let from = claimed.getTime();
  while (from < end && !stop.aborted) {
    const to = Math.min(from + sliceMs, end);
    const span = { start: new Date(from), end: new Date(to) };
    measured.count(await reconcileSpan(deps, span));
    from = to;
    const lease = deps.now().getTime() + 2 * deps.reconcileIntervalMs;
    await saveProgress(deps.db, span.end, new Date(lease));
  }
  await recheckFindings(deps, now, recheckLimit);
  measured.open = await countOpenFindings(deps.db);
  measured.comparedTo = from;
  await saveProgress(deps.db, new Date(from), deps.now());
}

interface Measured {
  open: number;
  /** Milliseconds since the epoch. */
  comparedTo: number | undefined;
  count(result: Reconciled): void;
  close(): void;
}

function observe(deps: ReconciliationDeps): Measured {
  const meter = metrics.getMeter("weft.payment");
  const compared = meter.createCounter("weft.payment.reconciled", {
    description: "Payments of the provider's report that were compared",
    unit: "{payment}",
  });
  const findings = meter.createCounter("weft.payment.findings", {
    description: "New differences from the provider's report, by kind",
    unit: "{finding}",
  });
  const open = meter.createObservableGauge("weft.payment.findings.open", {
    description: "Differences from the provider's report that are open",
    unit: "{finding}",
  });
  const lag = meter.createObservableGauge("weft.payment.reconciliation.lag", {
    description: "How far the comparison is behind",
    unit: "s",
  });
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    if (measured.comparedTo === undefined) return;
    result.observe(open, measured.open);
    const lagMs = deps.now().getTime() - measured.comparedTo;
    result.observe(lag, lagMs / 1_000);
  };
  meter.addBatchObservableCallback(report, [open, lag]);
  const measured: Measured = {
    open: 0,
    comparedTo: undefined,
    count(result) {
      compared.add(result.compared);
      for (const { kind, tenant, isNew } of result.found) {
        if (!isNew) continue;
        findings.add(1, { kind });
        deps.logger.error({ kind, tenant }, "the provider's books differ");
      }
    },
    close: () => meter.removeBatchObservableCallback(report, [open, lag]),
  };
  return measured;
}
