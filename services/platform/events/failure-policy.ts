import { Code, ConnectError } from "@connectrpc/connect";
import { fullJitter } from "../data/backoff.ts";
import {
  hasSqlState,
  isSerializationFailure,
} from "../data/database-errors.ts";
import { DomainError } from "../runtime/errors.ts";

export interface RetryPolicy {
  /** Tries of an event right where it is read, while its partition waits. Default 3. */
  readonly inPlaceAttempts: number;
  /** The step before the second try in place; doubles with each one, up to a second. Default 50. */
  readonly baseMs: number;
  /** How long an event waits in each of the group's retry topics, one try after each. Default 1 s, 10 s, 60 s. */
  readonly delaysMs: readonly number[];
  /** How long an event that fails for want of something else, or of a lock, is tried, however often. Default 24 hours. */
  readonly transientForMs: number;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  inPlaceAttempts: 3,
  baseMs: 50,
  delaysMs: [1_000, 10_000, 60_000],
  transientForMs: 86_400_000,
};

/** How an event has failed so far. */
export interface Failure {
  /** Tries so far, the last one included. */
  readonly attempts: number;
  /** Retry topics that it has been through. */
  readonly round: number;
  readonly firstFailureAt: Date;
  readonly lastFailureAt: Date;
}

export type Verdict =
  | { readonly kind: "dead-letter" }
  /** Our own database does not answer: nothing is this event's fault, and no other event would fare better. */
  | { readonly kind: "outage" }
  | { readonly kind: "in-place"; readonly afterMs: number }
  /** The round's retry topic is next, from 1. `transient` where something else is down. */
  | {
      readonly kind: "retry";
      readonly round: number;
      readonly transient: boolean;
    };

const IN_PLACE_CAP_MS = 1_000;

/**
 * What becomes of an event whose handler failed.
 *
 * - Another try cannot help (`invalid_argument`, `out_of_range`): a dead letter at once.
 * - Our own database is down: an outage, which counts as no attempt.
 * - Something else is down (`unavailable` and the like): tried in place, then
 *   in the retry topics, in the last one again and again for `transientForMs`.
 * - Others hold what it has to lock: the same, but that says nothing of other events. What holds it may be a branch in
 *   doubt, which ends no sooner than its coordinator is back.
 * - Anything else, such as a missing prerequisite or a fault in the handler:
 *   tried in place, once after each retry topic, then a dead letter.
 */
export function judgeFailure(
  error: unknown,
  failure: Failure,
  policy: RetryPolicy,
): Verdict {
  const kind = classify(error);
  if (kind === "permanent") return { kind: "dead-letter" };
  if (kind === "outage") return { kind: "outage" };
  if (failure.round === 0 && failure.attempts < policy.inPlaceAttempts) {
    return { kind: "in-place", afterMs: inPlaceMs(failure.attempts, policy) };
  }
  const transient = kind === "transient";
  const last = policy.delaysMs.length;
  const isPatient = transient || kind === "locked";
  if (isPatient ? isTooOld(failure, policy) : failure.round >= last) {
    return { kind: "dead-letter" };
  }
  if (last === 0) return { kind: "dead-letter" };
  return {
    kind: "retry",
    round: Math.min(failure.round + 1, last),
    transient,
  };
}

/** At least half of the step: a wait of nearly zero would burn the attempts within one short fault. */
function inPlaceMs(attempt: number, { baseMs }: RetryPolicy): number {
  const step = Math.min(
    IN_PLACE_CAP_MS,
    baseMs * 2 ** Math.min(attempt - 1, 30),
  );
  return step / 2 + fullJitter(attempt, baseMs / 2, IN_PLACE_CAP_MS / 2);
}

function isTooOld(failure: Failure, policy: RetryPolicy): boolean {
  const age =
    failure.lastFailureAt.getTime() - failure.firstFailureAt.getTime();
  return age >= policy.transientForMs;
}

const OUTAGES = new Set([
  "DATABASE_UNAVAILABLE",
  "DATABASE_POOL_EXHAUSTED",
  "COMMIT_OUTCOME_UNKNOWN",
]);

type Kind = "permanent" | "outage" | "transient" | "locked" | "unknown";

function classify(error: unknown): Kind {
  if (error instanceof ConnectError) return classifyStatus(error.code);
  if (!(error instanceof DomainError)) {
    return isLocked(error) ? "locked" : "unknown";
  }
  if (OUTAGES.has(error.reason)) return "outage";
  switch (error.code) {
    case "invalid_argument":
    case "out_of_range":
      return "permanent";
    case "unavailable":
    case "resource_exhausted":
    case "deadline_exceeded":
    case "aborted":
      return "transient";
    case "not_found":
    case "already_exists":
    case "failed_precondition":
    case "permission_denied":
    case "unauthenticated":
    case "internal":
      return "unknown";
  }
}

/** Something that it needs does not answer, which says nothing of the event, however old it is. */
export function isForWant(error: unknown): boolean {
  const kind = classify(error);
  return kind === "outage" || kind === "transient";
}

/** It waited for a lock in vain, or was ended so that others go on. */
export function isLocked(error: unknown): boolean {
  return hasSqlState(error, "55P03") || isSerializationFailure(error);
}

/** What a called service answered; its INVALID_ARGUMENT may be a fault of ours that a release mends. */
function classifyStatus(code: Code): Kind {
  return code === Code.Unavailable ||
    code === Code.ResourceExhausted ||
    code === Code.DeadlineExceeded ||
    code === Code.Aborted
    ? "transient"
    : "unknown";
}
