import type { Check } from "./check.ts";

/** Counts in this process alone, for the time that Redis is away. */
export interface LocalLimit {
  /** Takes the hits of every check, gives back those below 0, or does nothing. Returns the checks that had no room, with when they have. */
  take(
    checks: readonly Check[],
    nowUs: number,
  ): readonly { readonly check: Check; readonly retryUs: number }[];
}

/**
 * GCRA at the share of the limit that falls to one of `instances` processes, whatever the rule's algorithm is. Bounded: where
 * more than `bound` subjects are counted, the one counted first is forgotten.
 */
export function createLocalLimit(instances: number, bound: number): LocalLimit {
  const arrivals = new Map<string, number>();
  const stepOf = ({ limit }: Check) =>
    (limit.periodUs * instances) / limit.limit;

  return {
    take(checks, nowUs) {
      const refused = checks.flatMap((check) => {
        const step = stepOf(check);
        const arrival = Math.max(arrivals.get(check.subject) ?? 0, nowUs);
        // At least one may come at once, or nothing ever could.
        const burst = Math.max(check.limit.burst / instances, check.hits, 1);
        const retryUs = arrival + check.hits * step - burst * step - nowUs;
        return retryUs > 0.5 && check.hits >= 0 ? [{ check, retryUs }] : [];
      });
      if (refused.length > 0) return refused;
      for (const check of checks) {
        const arrival = Math.max(arrivals.get(check.subject) ?? 0, nowUs);
        arrivals.delete(check.subject);
        if (arrivals.size >= bound) {
          const [oldest] = arrivals.keys();
          if (oldest !== undefined) arrivals.delete(oldest);
        }
        arrivals.set(check.subject, arrival + check.hits * stepOf(check));
      }
      return [];
    },
  };
}
