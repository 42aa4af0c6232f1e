import { sleep } from "../data/backoff.ts";
import type { Lane } from "../data/lane.ts";
import { fromRecord } from "./cloud-event.ts";
import type { ConsumerMetrics } from "./consumer-metrics.ts";
import {
  type DeadLetterCause,
  errorText,
  reasonOf,
  toDeadLetter,
} from "./dead-letter.ts";
import type { EventBus, IncomingRecord } from "./event-bus.ts";
import {
  type Failure,
  isForWant,
  isLocked,
  judgeFailure,
  type RetryPolicy,
} from "./failure-policy.ts";
import { forwardWaiting } from "./forward-waiting.ts";
import type { OutageGate } from "./outage-gate.ts";
import type { JoinedBatches } from "./process-batch.ts";
import {
  blockKey,
  type GroupKey,
  lockWaiting,
  parkEvent,
} from "./parked-events.ts";
import {
  type Outcome,
  processRecord,
  type ProcessRecordDeps,
} from "./process-record.ts";
import { orderingKey } from "./retry-topic.ts";

export interface SettleDeps extends ProcessRecordDeps {
  readonly bus: Pick<EventBus, "produce">;
  readonly metrics: ConsumerMetrics;
  readonly policy: RetryPolicy;
  readonly gate: OutageGate;
  readonly joined: JoinedBatches;
  /** For what is not done for all partitions at once. */
  readonly lane: Lane;
  readonly now: () => Date;
}

export type Settled = { readonly kind: "done" } | Again;

/** Its partition must wait, and begin with this record again. */
export interface Again {
  readonly kind: "again";
  readonly afterMs: number;
}

export const DONE: Settled = { kind: "done" };

/** What a full parking place or a broker that takes nothing costs until the next look. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Tries the record until it had its effect, waits in retry, is parked, or is a
 * dead letter. The caller commits its offset after that, so a crash in between
 * does the same again, and the inbox or the parked key knows it.
 */
export async function settleRecord(
  deps: SettleDeps,
  record: IncomingRecord,
  signal: AbortSignal,
): Promise<Settled> {
  let failure: Failure | undefined;
  for (;;) {
    try {
      const outcome = await deps.lane(() => processRecord(deps, record));
      deps.gate.recovered();
      deps.metrics.consumed(record, outcome);
      return await settleOutcome(deps, record, outcome);
    } catch (error) {
      failure = countFailure(failure, deps.now());
      const settled = await settleFailure(deps, record, error, failure);
      if (settled.kind !== "in-place") return settled;
      await sleep(settled.afterMs, signal).catch(() => undefined);
      if (signal.aborted) return again(0);
    }
  }
}

export function again(afterMs: number): Again {
  return { kind: "again", afterMs };
}

async function settleOutcome(
  deps: SettleDeps,
  record: IncomingRecord,
  outcome: Outcome,
): Promise<Settled> {
  if (outcome === "full") {
    deps.logger.warn(describe(deps, record), "its key has too many parked");
    return again(LOOK_AGAIN_MS);
  }
  if (outcome !== "waiting") return DONE;
  // The process died between blocking the key and sending the event, or just after.
  return forward(deps, refOf(deps, record));
}

export function countFailure(
  before: Omit<Failure, "lastFailureAt"> | undefined,
  at: Date,
): Failure {
  const isFirst = before === undefined || before.attempts === 0;
  return {
    attempts: (before?.attempts ?? 0) + 1,
    round: before?.round ?? 0,
    firstFailureAt: isFirst ? at : before.firstFailureAt,
    lastFailureAt: at,
  };
}

async function settleFailure(
  deps: SettleDeps,
  record: IncomingRecord,
  error: unknown,
  failure: Failure,
): Promise<Settled | { kind: "in-place"; afterMs: number }> {
  const verdict = judgeFailure(error, failure, deps.policy);
  const fields = { ...describe(deps, record), attempts: failure.attempts };
  switch (verdict.kind) {
    case "outage":
      return holdForOutage(deps, error);
    case "dead-letter": {
      const cause = { group: deps.group, error, ...failure };
      return (await bury(deps, record, cause)) ? DONE : again(LOOK_AGAIN_MS);
    }
    case "in-place":
      deps.metrics.retried(record);
      deps.logger.warn({ ...fields, err: error }, "event failed, tries again");
      return verdict;
    case "retry":
      if (verdict.transient) {
        deps.gate.transient();
        if (deps.gate.closed) return again(deps.gate.waitMs());
      }
      deps.metrics.retried(record);
      deps.logger.warn({ ...fields, err: error }, "event waits in retry");
      return waitInRetry(deps, record, error, {
        ...failure,
        round: verdict.round,
      });
  }
}

/** Nothing is counted against the event: the whole group waits for our database. */
export function holdForOutage(deps: SettleDeps, error: unknown): Again {
  deps.gate.outage();
  deps.logger.warn(
    { err: error, group: deps.group },
    "our database does not answer, the group waits",
  );
  return again(deps.gate.waitMs());
}

/** `freed`: the event that the key waited for was settled meanwhile, and nobody would look for one that is parked behind it. */
type Place = "parked" | "full" | "freed";

/** Makes the key wait for this event, then sends it: in that order, so that whoever reads it in retry finds the key. */
async function waitInRetry(
  deps: SettleDeps,
  record: IncomingRecord,
  error: unknown,
  failure: Failure,
): Promise<Settled> {
  const ref = refOf(deps, record);
  const eventId = fromRecord(record).id;
  const next = { dueAt: dueAt(deps, failure), error: errorText(error) };
  try {
    const place = await deps.db.transaction(async (tx): Promise<Place> => {
      const isHeld =
        (await blockKey(tx, ref, eventId, failure, next)) ||
        (await lockWaiting(tx, ref)) !== undefined;
      if (!isHeld) return "freed";
      const limit = deps.maxParkedPerKey;
      const parked = await parkEvent(tx, ref, eventId, record, limit);
      return parked ? "parked" : "full";
    });
    if (place === "freed") return again(0);
    if (place === "full") return again(LOOK_AGAIN_MS);
  } catch (failed) {
    if (isForWant(failed)) return holdForOutage(deps, failed);
    if (isLocked(failed)) return again(LOOK_AGAIN_MS);
    // It can't be stored, as with a NUL in a header: it must not stop the others.
    const cause = { group: deps.group, error: failed, ...failure };
    return (await bury(deps, record, cause)) ? DONE : again(LOOK_AGAIN_MS);
  }
  return forward(deps, ref);
}

export function dueAt(deps: SettleDeps, failure: Failure): Date {
  const delayMs = deps.policy.delaysMs[failure.round - 1] ?? 0;
  return new Date(deps.now().getTime() + delayMs);
}

/** Acknowledged before the offset moves: a crash in between sends it twice, never not at all. */
export async function forward(
  deps: SettleDeps,
  ref: GroupKey,
): Promise<Settled> {
  try {
    await forwardWaiting(deps, ref);
    return DONE;
  } catch (error) {
    deps.logger.warn(
      { err: error, ...ref },
      "event not sent to its retry topic, tries again",
    );
    return again(LOOK_AGAIN_MS);
  }
}

/** Acknowledged before the offset moves: a crash in between buries it twice, never not at all. */
export async function bury(
  deps: SettleDeps,
  record: IncomingRecord,
  cause: DeadLetterCause,
): Promise<boolean> {
  const fields = { ...describe(deps, record), attempts: cause.attempts };
  try {
    await deps.bus.produce([toDeadLetter(record, cause)]);
  } catch (error) {
    deps.logger.warn(
      { ...fields, err: error },
      "dead letter not written, tries again",
    );
    return false;
  }
  deps.metrics.deadLettered(record, reasonOf(cause.error));
  deps.logger.error({ ...fields, err: cause.error }, "event is a dead letter");
  return true;
}

function refOf(deps: SettleDeps, record: IncomingRecord): GroupKey {
  return {
    group: deps.group,
    topic: record.topic,
    key: orderingKey(record),
  };
}

export function describe(deps: SettleDeps, record: IncomingRecord): object {
  return {
    group: deps.group,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset.toString(),
    eventId: record.headers["ce_id"],
  };
}
