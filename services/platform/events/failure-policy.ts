import { fullJitter } from "../data/backoff.ts";
import { DomainError } from "../runtime/errors.ts";

export interface RetryPolicy {
  /** Tries of a failure that may be the event's own fault, before it is a dead letter. Default 8. */
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export type Verdict =
  | { readonly kind: "dead-letter" }
  | { readonly kind: "retry"; readonly afterMs: number };

/**
 * What becomes of an event whose handler failed for the `attempt`-th time.
 *
 * - Another try cannot help (`invalid_argument`, `out_of_range`): a dead letter at once.
 * - Something it depends on is down (`unavailable` and the like): retried for
 *   ever, since every other event would fail just so and an outage must not
 *   empty the topic into the dead letters.
 * - Anything else, such as a missing prerequisite or a fault in the handler:
 *   retried `maxAttempts` times, then a dead letter.
 */
export function judgeFailure(
  error: unknown,
  attempt: number,
  policy: RetryPolicy,
): Verdict {
  const kind = classify(error);
  if (kind === "permanent") return { kind: "dead-letter" };
  if (kind === "unknown" && attempt >= policy.maxAttempts)
    return { kind: "dead-letter" };
  // At least half of the step: a wait of nearly zero would burn the attempts within one short fault.
  const floor =
    Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt - 1, 30)) / 2;
  return {
    kind: "retry",
    afterMs: floor + fullJitter(attempt, policy.baseMs / 2, policy.capMs / 2),
  };
}

function classify(error: unknown): "permanent" | "transient" | "unknown" {
  if (!(error instanceof DomainError)) return "unknown";
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
