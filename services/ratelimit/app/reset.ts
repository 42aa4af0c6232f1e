import type { Redis } from "ioredis";
import { rulesOf } from "../domain/check.ts";
import type { DenyCache } from "../domain/deny-cache.ts";
import { eachOverride } from "../domain/overrides.ts";
import type { Limit, Override, Rule, RuleSet } from "../domain/rule.ts";
import { specOf } from "../domain/spec.ts";
import { writeSubject } from "../domain/subject.ts";
import {
  countsUnavailable,
  namesCount,
  noRule,
  type CountersOfDeps,
} from "./counters-of.ts";

export interface ResetDeps extends CountersOfDeps {
  readonly redis: Redis | undefined;
  readonly denied: DenyCache;
  /** Tells the other processes to forget what they know to be refused. */
  readonly forgetEverywhere: (keys: readonly string[]) => Promise<void>;
}

/**
 * Empties the counts that these entries name, by whichever plan's or override's numbers; returns their rules.
 *
 * @throws DomainError NO_RULE, COUNTS_UNAVAILABLE
 */
export async function reset(
  deps: ResetDeps,
  entries: ReadonlyMap<string, string>,
): Promise<string[]> {
  const rules = deps.rules();
  const named = rulesOf(rules, entries).filter((rule) =>
    namesCount(rule, entries),
  );
  if (named.length === 0) throw noRule(entries);
  if (deps.redis === undefined) throw countsUnavailable();
  const keys = [
    ...new Set(named.flatMap((rule) => keysOf(deps, rules, rule, entries))),
  ];
  try {
    await deps.redis.del(...keys);
    await deps.forgetEverywhere(keys);
  } catch (error) {
    throw countsUnavailable(error);
  }
  for (const key of keys) deps.denied.forget(key);
  return named.map(({ name }) => name);
}

/** Where a count lies depends on its numbers, and those on the caller's token: every place is meant that it may lie in. */
function keysOf(
  deps: ResetDeps,
  rules: RuleSet,
  rule: Rule,
  entries: ReadonlyMap<string, string>,
): string[] {
  const subject = writeSubject(rule.name, rule.per, entries);
  return limitsOf(rules, rule, entries).map((limit) =>
    deps.counterKey({ rule, limit, spec: specOf(rule, limit), subject }),
  );
}

function limitsOf(
  rules: RuleSet,
  rule: Rule,
  entries: ReadonlyMap<string, string>,
): Limit[] {
  const overrides = rules.overridesByRule.get(rule.name) ?? new Map();
  return [
    rule.limit,
    ...rule.limitByPlan.values(),
    ...[...eachOverride(overrides)]
      .filter((override) => mayHold(override, rule, entries))
      .flatMap(({ limit }) => (limit === undefined ? [] : [limit])),
  ];
}

/** Whoever shares the count may be whom the override names, unless the count is of another. */
function mayHold(
  override: Override,
  { per }: Rule,
  entries: ReadonlyMap<string, string>,
): boolean {
  return (["tenant", "subject"] as const).every(
    (key) =>
      override[key] === undefined ||
      !per.includes(key) ||
      override[key] === entries.get(key),
  );
}
