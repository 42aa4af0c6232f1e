import type { Check } from "./check.ts";

/** What came of one check. */
export interface CheckOutcome {
  readonly check: Check;
  readonly room: boolean;
  /** Undefined where nobody counted: Redis was away, or another check's refusal was known before. */
  readonly remaining: number | undefined;
  /** Infinity where there is never room for so much. */
  readonly retryMs: number;
  readonly resetMs: number;
}

/** How a decision was come by; `size` is a request that takes more at once than there is ever room for. */
export type DecidedBy =
  "redis" | "deny-cache" | "redis-away" | "no-rule" | "size";

/** The answer to one request, all of its descriptors together. */
export interface Decision {
  readonly allowed: boolean;
  readonly by: DecidedBy;
  /** By descriptor, in the order of the request; a check that two descriptors share stands in both. */
  readonly outcomes: readonly (readonly CheckOutcome[])[];
}

/** Whether an outcome refuses its request: rules in shadow never do. */
export function refuses({ room, check }: CheckOutcome): boolean {
  return !room && !check.rule.shadow;
}

/** The outcomes that refuse, each once. */
export function refusals(decision: Decision): CheckOutcome[] {
  return [...new Set(decision.outcomes.flat())].filter(refuses);
}

/** When the whole request has room: when the last of its refusals has, and Infinity where one never has. */
export function retryAfterMs(decision: Decision): number {
  return Math.max(0, ...refusals(decision).map(({ retryMs }) => retryMs));
}

/**
 * The outcome that tells a client most: the refusal that lasts longest, else the count with the least share left. Rules in
 * shadow tell nothing.
 */
export function tightest(
  outcomes: readonly CheckOutcome[],
): CheckOutcome | undefined {
  const refusing = outcomes.filter(refuses);
  const candidates =
    refusing.length > 0
      ? refusing
      : outcomes.filter(
          ({ check, remaining }) =>
            !check.rule.shadow && remaining !== undefined,
        );
  let best: CheckOutcome | undefined;
  for (const outcome of candidates) {
    if (best === undefined || isTighter(outcome, best)) best = outcome;
  }
  return best;
}

function isTighter(a: CheckOutcome, b: CheckOutcome): boolean {
  if (!a.room || !b.room) return a.retryMs > b.retryMs;
  return share(a) < share(b);
}

function share({ remaining = 0, check }: CheckOutcome): number {
  return remaining / Math.max(check.limit.burst, check.limit.limit);
}
