import { fromRecord } from "./cloud-event.ts";
import type { IncomingRecord, PartitionBatch } from "./event-bus.ts";
import { judgeFailure } from "./failure-policy.ts";
import { processBatch } from "./process-batch.ts";
import { isOfNoConcern } from "./process-record.ts";
import {
  countFailure,
  holdForOutage,
  type SettleDeps,
  settleRecord,
  type Settled,
} from "./settle-record.ts";
import { settleRetry } from "./settle-retry.ts";

const MIN_PAUSE_MS = 20;

/** Settles the records of one partition in order, together where their handlers allow it, and commits how far it came. */
export async function consumeBatch(
  deps: SettleDeps,
  batch: PartitionBatch,
  options: { readonly size: number; readonly isRetry: boolean },
): Promise<void> {
  let next = 0;
  // Up to here they were found not to go together.
  let aloneUntil = 0;
  reportLag(deps, batch, next);
  try {
    while (next < batch.records.length && !batch.signal.aborted) {
      if (!options.isRetry) {
        const passed = passOver(deps, batch, next);
        if (passed === batch.records.length) batch.noConcern();
        next += passed;
        if (passed > 0) continue;
      }
      const heldMs = deps.gate.waitMs();
      const isAlone = options.isRetry || next < aloneUntil;
      const size = isAlone ? 1 : options.size;
      const chunk = batch.records.slice(next, next + size);
      const settled =
        heldMs > 0
          ? ({ kind: "again", afterMs: heldMs } as const)
          : await settleSome(deps, chunk, batch.signal, {
              ...options,
              isAlone,
            });
      if (settled.kind === "again") {
        batch.pauseFor(Math.max(MIN_PAUSE_MS, settled.afterMs));
        break;
      }
      batch.markDone(settled.last);
      if (settled.count < chunk.length) aloneUntil = next + chunk.length;
      next += settled.count;
      reportLag(deps, batch, next);
    }
  } finally {
    batch.commitSoon();
  }
}

/** Marks the next records done as far as the group has nothing to do with them; how many. */
function passOver(
  deps: SettleDeps,
  batch: PartitionBatch,
  next: number,
): number {
  let end = next;
  while (end < batch.records.length && isPassedOver(deps, batch.records[end])) {
    end += 1;
  }
  const last = batch.records[end - 1];
  if (last === undefined || end === next) return 0;
  batch.markDone(last);
  deps.metrics.consumed(last, "skipped", end - next);
  reportLag(deps, batch, end);
  return end - next;
}

/** Whatever can't be read is of concern: it is a dead letter. */
function isPassedOver(
  deps: SettleDeps,
  record: IncomingRecord | undefined,
): boolean {
  try {
    return record === undefined || isOfNoConcern(deps, fromRecord(record));
  } catch {
    return false;
  }
}

type Some =
  | {
      readonly kind: "done";
      readonly count: number;
      readonly last: IncomingRecord;
    }
  | Extract<Settled, { kind: "again" }>;

/** Settles all of the records, or the first one. */
async function settleSome(
  deps: SettleDeps,
  records: readonly IncomingRecord[],
  signal: AbortSignal,
  how: { readonly isRetry: boolean; readonly isAlone: boolean },
): Promise<Some> {
  const first = records[0];
  const last = records.at(-1);
  if (first === undefined || last === undefined) {
    throw new Error("there is no record to settle");
  }
  if (!how.isAlone) {
    const together = await tryTogether(deps, records);
    if (together === "done") {
      return { kind: "done", count: records.length, last };
    }
    if (together !== "one by one") return together;
  }
  const settled = how.isRetry
    ? await settleRetry(deps, first, signal)
    : await settleRecord(deps, first, signal);
  return settled.kind === "done"
    ? { kind: "done", count: 1, last: first }
    : settled;
}

/** One by one is always right: it finds out which record is at fault. */
async function tryTogether(
  deps: SettleDeps,
  records: readonly IncomingRecord[],
): Promise<"done" | "one by one" | Extract<Settled, { kind: "again" }>> {
  const [first] = records;
  try {
    if (first === undefined) return "done";
    const outcome = await processBatch(deps, records);
    if (outcome === "one by one") return outcome;
    deps.gate.recovered();
    const { handled, duplicates } = outcome;
    const skipped = records.length - handled - duplicates;
    if (handled > 0) deps.metrics.consumed(first, "handled", handled);
    if (duplicates > 0) deps.metrics.consumed(first, "duplicate", duplicates);
    if (skipped > 0) deps.metrics.consumed(first, "skipped", skipped);
    return "done";
  } catch (error) {
    const failure = countFailure(undefined, deps.now());
    return judgeFailure(error, failure, deps.policy).kind === "outage"
      ? holdForOutage(deps, error)
      : "one by one";
  }
}

function reportLag(
  deps: SettleDeps,
  batch: PartitionBatch,
  next: number,
): void {
  const behind = batch.records.length - next;
  deps.metrics.lag(batch, batch.remaining + BigInt(behind));
}
