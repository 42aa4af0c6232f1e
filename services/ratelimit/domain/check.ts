import { overrideFor } from "./overrides.ts";
import { specOf } from "./spec.ts";
import { writeSubject } from "./subject.ts";
import type { Limit, Rule, RuleSet } from "./rule.ts";

/** What a caller asks about: the entries of one descriptor of Envoy's, and how much it takes. */
export interface Descriptor {
  readonly entries: ReadonlyMap<string, string>;
  /** What it takes; below 0 what it gives back. */
  readonly hits: number;
  /** Numbers that the descriptor brings along: it is then counted as a whole, by them instead of our rules. */
  readonly limit?: Pick<Limit, "limit" | "periodUs"> | undefined;
}

/** One count that a request must pass. */
export interface Check {
  readonly rule: Rule;
  readonly limit: Limit;
  /** The caller's plan; empty where the request brought its numbers along. */
  readonly plan: string;
  /** The rule with its numbers, as the script takes them. */
  readonly spec: string;
  /** What is counted, readable: the rule's name and the values of `per`. */
  readonly subject: string;
  readonly hits: number;
  /** Names the lease of `concurrency`. */
  readonly lease: string;
}

/** The entry that names a descriptor's rate class. */
export const CLASS_ENTRY = "rate_class";
/** The entry that names the request, for leases. */
export const REQUEST_ENTRY = "request_id";

/** All that a descriptor has to pass. A class without rules, or another domain's, limits nothing. */
export function checksOf(
  rules: RuleSet,
  descriptor: Descriptor,
  newLease: () => string,
): Check[] {
  const { entries, hits, limit: brought } = descriptor;
  if (brought !== undefined) return [broughtCheck(entries, hits, brought)];
  const plan = planOf(rules, entries);
  const checks: Check[] = [];
  for (const rule of classRules(rules, entries)) {
    if (!holds(rule, entries)) continue;
    const limit = limitFor(rules, rule, plan, entries);
    if (limit === undefined) continue;
    checks.push({
      rule,
      limit,
      plan,
      spec: specOf(rule, limit),
      subject: writeSubject(rule.name, rule.per, entries),
      hits,
      lease:
        rule.algorithm === "concurrency"
          ? (entries.get(REQUEST_ENTRY) ?? newLease())
          : "",
    });
  }
  return checks;
}

/** Whether a request takes more at once than its count ever has room for: no time changes the answer. */
export function neverHasRoom({ rule, limit, hits }: Check): boolean {
  const most = mostAtOnce(rule, limit);
  return hits > most || most === 0;
}

function mostAtOnce({ algorithm }: Rule, { limit, burst }: Limit): number {
  switch (algorithm) {
    case "gcra":
    case "token-bucket":
      return burst;
    case "sliding-window":
    case "fixed-window":
      return limit;
    case "concurrency":
      // A place is lent once, however many hits.
      return Infinity;
  }
}

/** The rules that hold for these entries, whether or not an override lifts their limits. */
export function rulesOf(
  rules: RuleSet,
  entries: ReadonlyMap<string, string>,
): Rule[] {
  return classRules(rules, entries).filter((rule) => holds(rule, entries));
}

function classRules(
  rules: RuleSet,
  entries: ReadonlyMap<string, string>,
): readonly Rule[] {
  return rules.rulesByClass.get(entries.get(CLASS_ENTRY) ?? "") ?? [];
}

function holds(rule: Rule, entries: ReadonlyMap<string, string>): boolean {
  return rule.when.every(([key, value]) => entries.get(key) === value);
}

/** The rule of a descriptor with numbers of its own: as many at once as a period allows, of all its entries together. */
function broughtCheck(
  entries: ReadonlyMap<string, string>,
  hits: number,
  { limit: most, periodUs }: NonNullable<Descriptor["limit"]>,
): Check {
  const limit = { limit: most, periodUs, burst: most };
  const rule: Rule = {
    name: `${entries.get(CLASS_ENTRY) ?? "any"}/descriptor`,
    per: [...entries.keys()].filter((key) => key !== REQUEST_ENTRY),
    when: [],
    algorithm: "gcra",
    limit,
    limitByPlan: new Map(),
    buckets: 1,
    redisAway: "local",
    shadow: false,
  };
  const subject = writeSubject(rule.name, rule.per, entries);
  const spec = specOf(rule, limit);
  return { rule, limit, plan: "", spec, subject, hits, lease: "" };
}

function limitFor(
  rules: RuleSet,
  rule: Rule,
  plan: string,
  entries: ReadonlyMap<string, string>,
): Limit | undefined {
  const overrides = rules.overridesByRule.get(rule.name);
  const override = overrides && overrideFor(overrides, entries);
  if (override !== undefined) return override.limit;
  return rule.limitByPlan.get(plan) ?? rule.limit;
}

/** The file's word about the tenant, else the token's where the file knows that plan, else the default. */
export function planOf(
  rules: RuleSet,
  entries: ReadonlyMap<string, string>,
): string {
  const configured = rules.planByTenant.get(entries.get("tenant") ?? "");
  if (configured !== undefined) return configured;
  const claimed = entries.get("plan") ?? "";
  return rules.plans.has(claimed) ? claimed : rules.defaultPlan;
}
