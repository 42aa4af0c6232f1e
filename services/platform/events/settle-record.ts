import { sleep } from "../data/backoff.ts";
import type { ConsumerMetrics } from "./consumer-metrics.ts";
import { type DeadLetterCause, toDeadLetter } from "./dead-letter.ts";
import type { EventBus, IncomingRecord } from "./event-bus.ts";
import { judgeFailure, type RetryPolicy } from "./failure-policy.ts";
import { processRecord, type ProcessRecordDeps } from "./process-record.ts";

export interface SettleDeps extends ProcessRecordDeps {
  readonly bus: Pick<EventBus, "produce">;
  readonly metrics: ConsumerMetrics;
  readonly policy: RetryPolicy;
  /** The event that each partition is held up by; bounded by the partitions. */
  readonly failing: Map<string, Failing>;
}

export interface Failing {
  readonly offset: bigint;
  readonly attempts: number;
  readonly firstFailureAt: Date;
}

export type Settled =
  | { readonly kind: "done" }
  /** Its partition must wait, and begin with this record again. */
  | { readonly kind: "again"; readonly afterMs: number };

/** Below it, waiting in place costs less than fetching the partition again. */
const PAUSE_FROM_MS = 400;

/** Tries the record until it had its effect or is a dead letter, in place while the waits are short. */
export async function settleRecord(
  deps: SettleDeps,
  record: IncomingRecord,
  signal: AbortSignal,
): Promise<Settled> {
  const partition = `${record.topic}/${record.partition}`;
  for (;;) {
    const afterMs = await tryRecord(deps, partition, record);
    if (afterMs === undefined) {
      deps.failing.delete(partition);
      return { kind: "done" };
    }
    if (afterMs >= PAUSE_FROM_MS) return { kind: "again", afterMs };
    await sleep(afterMs, signal).catch(() => undefined);
    if (signal.aborted) return { kind: "again", afterMs };
  }
}

/** Answers after how many milliseconds to try again, or undefined when the record is settled. */
async function tryRecord(
  deps: SettleDeps,
  partition: string,
  record: IncomingRecord,
): Promise<number | undefined> {
  try {
    deps.metrics.consumed(record, await processRecord(deps, record));
    return undefined;
  } catch (error) {
    const failing = countFailure(deps, partition, record);
    const verdict = judgeFailure(error, failing.attempts, deps.policy);
    if (verdict.kind === "dead-letter") {
      return bury(deps, record, { group: deps.group, error, ...failing });
    }
    deps.metrics.retried(record);
    deps.logger.warn(
      { ...describe(deps, record), err: error, attempts: failing.attempts },
      "event failed, tries again",
    );
    return verdict.afterMs;
  }
}

function countFailure(
  deps: SettleDeps,
  partition: string,
  record: IncomingRecord,
): Failing {
  const before = deps.failing.get(partition);
  const same = before?.offset === record.offset ? before : undefined;
  const failing = {
    offset: record.offset,
    attempts: (same?.attempts ?? 0) + 1,
    firstFailureAt: same?.firstFailureAt ?? new Date(),
  };
  deps.failing.set(partition, failing);
  return failing;
}

/** Acknowledged before the offset moves: a crash in between buries it twice, never not at all. */
async function bury(
  deps: SettleDeps,
  record: IncomingRecord,
  cause: DeadLetterCause,
): Promise<number | undefined> {
  const fields = { ...describe(deps, record), attempts: cause.attempts };
  try {
    await deps.bus.produce([toDeadLetter(record, cause)]);
  } catch (error) {
    deps.logger.warn(
      { ...fields, err: error },
      "dead letter not written, tries again",
    );
    return deps.policy.baseMs * 10;
  }
  deps.metrics.deadLettered(record);
  deps.logger.error({ ...fields, err: cause.error }, "event is a dead letter");
  return undefined;
}

function describe(deps: SettleDeps, record: IncomingRecord): object {
  return {
    group: deps.group,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset.toString(),
    eventId: record.headers["ce_id"],
  };
}
