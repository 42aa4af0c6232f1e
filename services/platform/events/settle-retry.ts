import { type CloudEvent, fromRecord } from "./cloud-event.ts";
import { inConsumerSpans } from "./consumer-span.ts";
import { errorText } from "./dead-letter.ts";
import type { IncomingRecord } from "./event-bus.ts";
import { type Failure, judgeFailure } from "./failure-policy.ts";
import { recordOnce } from "./inbox.ts";
import {
  advanceKey,
  type GroupKey,
  lockWaiting,
  noteFailure,
  readParked,
  type Waiting,
} from "./parked-events.ts";
import { findHandler } from "./process-record.ts";
import {
  fromRetryRecord,
  orderingKey,
  type RetryRecord,
  waitOf,
} from "./retry-topic.ts";
import {
  type Again,
  again,
  bury,
  countFailure,
  describe,
  DONE,
  dueAt,
  forward,
  holdForOutage,
  type SettleDeps,
  settleRecord,
  type Settled,
} from "./settle-record.ts";

/**
 * Settles a record of a retry topic, once it is due: tries the event that its
 * key waits for, and, when that is settled, those that are parked behind it.
 * One whose try has been made, as after a crash between sending and committing, is passed over.
 */
export async function settleRetry(
  deps: SettleDeps,
  incoming: IncomingRecord,
  signal: AbortSignal,
): Promise<Settled> {
  const retry = fromRetryRecord(incoming);
  if (retry === undefined) return passOver(deps, incoming);
  // An operator's redrive is like a new delivery: it does not wait, nor does its key wait for it.
  if (retry.isRedrive) {
    return settleRecord(deps, retry.record, signal);
  }
  const waitMs = waitOf(retry, deps.now(), deps.policy);
  if (waitMs > 0) return again(waitMs);
  const ref = {
    group: deps.group,
    topic: retry.record.topic,
    key: orderingKey(retry.record),
  };
  return settleKey(deps, ref, expectedOf(retry), signal);
}

interface Expected {
  readonly eventId: string;
  readonly attempts: number;
}

function expectedOf({ record, attempts }: RetryRecord): Expected {
  return { eventId: record.headers["ce_id"] ?? "", attempts };
}

function passOver(deps: SettleDeps, record: IncomingRecord): Settled {
  deps.metrics.consumed(record, "skipped");
  deps.logger.error(describe(deps, record), "a record is in retry unasked");
  return DONE;
}

/** Takes the key's events in order until it is free, or one of them has to wait again. */
async function settleKey(
  deps: SettleDeps,
  ref: GroupKey,
  expected: Expected,
  signal: AbortSignal,
): Promise<Settled> {
  let next: Expected | undefined = expected;
  for (;;) {
    const taken = await takeWaiting(deps, ref, next);
    switch (taken.kind) {
      case "free":
        return DONE;
      case "stale":
        // It was tried. What the key waits for now may not have been sent.
        return forward(deps, ref);
      case "again":
        return taken;
      case "waits":
        return forward(deps, ref);
      case "next":
        // What is left is found by the keeper, or by whoever gets this record again.
        if (signal.aborted) return again(0);
        next = undefined;
    }
  }
}

type Taken = Again | { readonly kind: "free" | "stale" | "next" | "waits" };

/** One try of the event that the key waits for, if it is still the one expected. */
async function takeWaiting(
  deps: SettleDeps,
  ref: GroupKey,
  expected: Expected | undefined,
): Promise<Taken> {
  const tried: { waiting?: Waiting; record?: IncomingRecord } = {};
  try {
    const taken = await deps.db.transaction(async (tx): Promise<Taken> => {
      const waiting = await lockWaiting(tx, ref);
      if (!isCurrent(waiting, expected)) return { kind: "stale" };
      const record = await readParked(tx, ref, waiting.eventId);
      tried.waiting = waiting;
      if (record !== undefined) {
        tried.record = record;
        await handleOnce(deps, tx, record);
      }
      const more = await advanceKey(tx, ref, waiting.eventId);
      return { kind: more ? "next" : "free" };
    });
    deps.gate.recovered();
    return taken;
  } catch (error) {
    const { waiting, record } = tried;
    if (waiting === undefined || record === undefined) {
      return holdForOutage(deps, error);
    }
    return settleFailure(deps, ref, { waiting, record, error });
  }
}

function isCurrent(
  waiting: Waiting | undefined,
  expected: Expected | undefined,
): waiting is Waiting {
  if (waiting === undefined) return false;
  return (
    expected === undefined ||
    (waiting.eventId === expected.eventId &&
      waiting.attempts === expected.attempts)
  );
}

async function handleOnce(
  deps: SettleDeps,
  tx: Parameters<Parameters<SettleDeps["db"]["transaction"]>[0]>[0],
  record: IncomingRecord,
): Promise<void> {
  const event: CloudEvent = fromRecord(record);
  const handler = findHandler(deps, event.type);
  if (handler === undefined) return;
  const outcome = await inConsumerSpans(
    deps.group,
    [{ record, event }],
    async () => {
      if (!(await recordOnce(tx, deps.group, event.id))) return "duplicate";
      await handler.handle(tx, event);
      return "handled";
    },
  );
  deps.metrics.consumed(record, outcome);
}

async function settleFailure(
  deps: SettleDeps,
  ref: GroupKey,
  tried: { waiting: Waiting; record: IncomingRecord; error: unknown },
): Promise<Taken> {
  const { waiting, record, error } = tried;
  const failure = countFailure(waiting, deps.now());
  // It has left its partition, so there is no place to try it in.
  const policy = { ...deps.policy, inPlaceAttempts: 0 };
  const verdict = judgeFailure(error, failure, policy);
  if (verdict.kind === "outage") return holdForOutage(deps, error);
  try {
    if (verdict.kind === "retry") {
      if (verdict.transient) deps.gate.transient();
      deps.metrics.retried(record);
      const next = { ...failure, round: verdict.round };
      return await waitOn(deps, ref, { waiting, failure: next, error });
    }
    const cause = { group: deps.group, error, ...failure };
    if (!(await bury(deps, record, cause))) return again(1_000);
    return await leave(deps, ref, waiting);
  } catch (failed) {
    return holdForOutage(deps, failed);
  }
}

function waitOn(
  deps: SettleDeps,
  ref: GroupKey,
  tried: { waiting: Waiting; failure: Failure; error: unknown },
): Promise<Taken> {
  return deps.db.transaction(async (tx): Promise<Taken> => {
    const now = await lockWaiting(tx, ref);
    if (!isCurrent(now, tried.waiting)) return { kind: "stale" };
    await noteFailure(tx, ref, tried.failure, {
      dueAt: dueAt(deps, tried.failure),
      error: errorText(tried.error),
    });
    return { kind: "waits" };
  });
}

/** The waiting event is buried: the key goes on without it. */
function leave(
  deps: SettleDeps,
  ref: GroupKey,
  waiting: Waiting,
): Promise<Taken> {
  return deps.db.transaction(async (tx): Promise<Taken> => {
    const now = await lockWaiting(tx, ref);
    if (!isCurrent(now, waiting)) return { kind: "stale" };
    const more = await advanceKey(tx, ref, waiting.eventId);
    return { kind: more ? "next" : "free" };
  });
}
