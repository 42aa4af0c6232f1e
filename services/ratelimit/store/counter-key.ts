import { hash } from "node:crypto";
import type { Check } from "../domain/check.ts";

const KNOWN_LIMIT = 50_000;

/** Makes the Redis key of a check's count. */
export type CounterKey = (
  check: Pick<Check, "rule" | "limit" | "spec" | "subject">,
) => string;

/**
 * Keys are `weft:rl:{<domain>}:<rule>:<shape>:<hash>`. Subjects are hashed: a key is short whatever a caller sends, and
 * tells nobody's name. The braces are Redis Cluster's hash tag: a request's counts must lie in one slot, for one script
 * decides them, so a domain is what can be moved to a node of its own. 128 bits of SHA-256 make a collision a matter of
 * 10^19 subjects.
 */
export function createCounterKey(domain: string): CounterKey {
  const known = new Map<string, string>();
  return (check) => {
    const { rule, spec, subject } = check;
    // The numbers that make the shape are all in the spec, which is there already.
    const name = `${spec} ${subject}`;
    const found = known.get(name);
    if (found !== undefined) return found;
    const shape = shapeOf(check);
    const digest = hash("sha256", subject, "base64url").slice(0, 22);
    const key = `weft:rl:{${domain}}:${rule.name}:${shape}:${digest}`;
    if (known.size >= KNOWN_LIMIT) known.clear();
    known.set(name, key);
    return key;
  };
}

/**
 * What a state is written for, and can't be read as another: the algorithm; of windows their length and parts, for a state
 * holds its window's number; of GCRA the time in which its burst comes back, for a state holds when that will have been. A
 * window of minutes, read as one of hours, lies decades ahead, and an hour's debt, read by a rule of seconds, refuses for an
 * hour. A changed limit alone is no other shape: what was counted holds.
 */
function shapeOf({
  rule,
  limit,
  spec,
}: Pick<Check, "rule" | "limit" | "spec">): string {
  const letter = spec.slice(0, 1);
  const { algorithm, buckets } = rule;
  if (algorithm === "fixed-window") return `${letter}${limit.periodUs}`;
  if (algorithm === "sliding-window")
    return `${letter}${limit.periodUs}/${buckets}`;
  if (algorithm === "gcra")
    return `${letter}${Math.round((limit.burst * limit.periodUs) / limit.limit)}`;
  return letter;
}
