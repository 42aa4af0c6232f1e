import { metrics } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { countOpenFindings } from "../store/findings.ts";
import {
  claimReconciliation,
  findProgress,
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
  const attempt = (work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) =>
      deps.logger.warn({ err: error }, "reconciliation failed, goes on later"),
    );
  await attempt(() => measured.look());
  while (!stop.aborted) {
    const pauseMs = deps.reconcileIntervalMs * (0.5 + Math.random());
    await sleep(pauseMs, stop).catch(() => undefined);
    if (stop.aborted) break;
    await attempt(() => reconcileDue(deps, measured, stop));
    await attempt(() => measured.look());
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
  await saveProgress(deps.db, new Date(from), deps.now());
}

interface Measured {
  /** Reads how things stand, whichever process has compared: so that each tells the same, also where none gets on. */
  look(): Promise<void>;
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
    description:
      "How far the comparison is behind what is old enough to be compared",
    unit: "s",
  });
  let findingCount: number | undefined;
  let comparedTo: Date | undefined;
  const report: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    if (findingCount !== undefined) result.observe(open, findingCount);
    if (comparedTo === undefined) return;
    const end = deps.now().getTime() - deps.reconcileAfterMs;
    result.observe(lag, Math.max(0, end - comparedTo.getTime()) / 1_000);
  };
  meter.addBatchObservableCallback(report, [open, lag]);
  return {
    async look() {
      comparedTo = await findProgress(deps.db);
      findingCount = await countOpenFindings(deps.db);
    },
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
}
