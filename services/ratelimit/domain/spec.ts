import type { Limit, Rule } from "./rule.ts";

const LETTERS = {
  gcra: "g",
  "token-bucket": "t",
  "sliding-window": "s",
  "fixed-window": "f",
  concurrency: "c",
} as const;

// A rule's limits are objects that live as long as the file: their text is made once.
const known = new WeakMap<Limit, string>();

/**
 * A rule's algorithm and numbers as the script reads them: letter, shadow (0 or 1), limit, period in microseconds, burst,
 * buckets.
 */
export function specOf(rule: Rule, limit: Limit): string {
  const text = known.get(limit);
  if (text !== undefined) return text;
  const spec = [
    LETTERS[rule.algorithm],
    rule.shadow ? 1 : 0,
    limit.limit,
    limit.periodUs,
    limit.burst,
    rule.buckets,
  ].join(" ");
  known.set(limit, spec);
  return spec;
}
