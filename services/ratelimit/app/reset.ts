import type { Redis } from "ioredis";
import type { DenyCache } from "../domain/deny-cache.ts";
import {
  countersOf,
  countsUnavailable,
  type CountersOfDeps,
} from "./counters-of.ts";

export interface ResetDeps extends CountersOfDeps {
  readonly redis: Redis | undefined;
  readonly denied: DenyCache;
  /** Tells the other processes to forget what they know to be refused. */
  readonly forgetEverywhere: (keys: readonly string[]) => Promise<void>;
}

/**
 * Empties the counts that a request with these entries would meet; returns their rules.
 *
 * @throws DomainError NO_RULE, COUNTS_UNAVAILABLE
 */
export async function reset(
  deps: ResetDeps,
  entries: ReadonlyMap<string, string>,
): Promise<string[]> {
  const counters = countersOf(deps, entries);
  const keys = counters.map(({ key }) => key);
  if (deps.redis === undefined) throw countsUnavailable();
  try {
    await deps.redis.del(...keys);
    await deps.forgetEverywhere(keys);
  } catch (error) {
    throw countsUnavailable(error);
  }
  for (const key of keys) deps.denied.forget(key);
  return counters.map(({ check }) => check.rule.name);
}
