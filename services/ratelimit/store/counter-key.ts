import { hash } from "node:crypto";
import type { Check } from "../domain/check.ts";

const KNOWN_LIMIT = 50_000;

/** Makes the Redis key of a check's count. */
export type CounterKey = (
  check: Pick<Check, "rule" | "spec" | "subject">,
) => string;

/**
 * Keys are `weft:rl:{<domain>}:<rule>:<algorithm>:<hash>`. Subjects are hashed: a key is short whatever a caller sends, and
 * tells nobody's name. The braces are Redis Cluster's hash tag: a request's counts must lie in one slot, for one script
 * decides them, so a domain is what can be moved to a node of its own. 128 bits of SHA-256 make a collision a matter of
 * 10^19 subjects.
 */
export function createCounterKey(domain: string): CounterKey {
  const known = new Map<string, string>();
  return ({ rule, spec, subject }) => {
    // The first letter of a spec is its algorithm: another algorithm's state is another key.
    const letter = spec.slice(0, 1);
    const name = `${letter}${subject}`;
    const found = known.get(name);
    if (found !== undefined) return found;
    const digest = hash("sha256", subject, "base64url").slice(0, 22);
    const key = `weft:rl:{${domain}}:${rule.name}:${letter}:${digest}`;
    if (known.size >= KNOWN_LIMIT) known.clear();
    known.set(name, key);
    return key;
  };
}
