import type { Check } from "../domain/check.ts";
import type { CheckOutcome } from "../domain/decision.ts";
import type { LocalLimit } from "../domain/local-limit.ts";

/** While Redis is away nobody knows when a closed rule opens; a second is what clients are told. */
const CLOSED_RETRY_MS = 1_000;

export interface AloneDeps {
  readonly local: LocalLimit;
  /** Of a monotonic clock. */
  readonly nowMs: () => number;
}

/** The answer of each rule's own for the time without Redis, by subject. A closed rule refuses before a local one counts. */
export function outcomesAlone(
  deps: AloneDeps,
  counted: readonly Check[],
): Map<string, CheckOutcome> {
  const checks = counted.filter(({ rule }) => !rule.shadow);
  const closed = checks.filter(({ rule }) => rule.redisAway === "closed");
  const refused = new Map(
    closed.map((check) => [check.subject, CLOSED_RETRY_MS]),
  );
  if (closed.length === 0) {
    const local = checks.filter(({ rule }) => rule.redisAway === "local");
    for (const one of deps.local.take(local, deps.nowMs() * 1_000))
      refused.set(one.check.subject, one.retryUs / 1_000);
  }
  return new Map(
    counted.map((check) => {
      const retryMs = refused.get(check.subject) ?? 0;
      const outcome = {
        check,
        room: retryMs === 0,
        remaining: undefined,
        retryMs,
        resetMs: retryMs,
      };
      return [check.subject, outcome];
    }),
  );
}
