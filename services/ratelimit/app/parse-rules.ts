import { parse } from "yaml";
import { prettifyError } from "zod";
import { indexOverrides } from "../domain/overrides.ts";
import type { Limit, Override, Rule, RuleSet } from "../domain/rule.ts";
import type { RateClasses } from "./rate-classes.ts";
import { findRuleFaults } from "./rule-faults.ts";
import {
  rulesFile,
  type OverrideEntry,
  type RuleEntry,
  type RulesFile,
} from "./rules-file.ts";

const DEFAULT_BUCKETS = 20;

/** The file of numbers can't be used. The message names every fault, a line each. */
export class RulesError extends Error {
  override readonly name = "RulesError";
}

/**
 * Reads the numbers behind the contracts' rate classes. The two must fit: a class without numbers would be open, and numbers
 * without a class a mistake in its name.
 *
 * @throws RulesError that names every fault.
 */
export function parseRules(text: string, classes: RateClasses): RuleSet {
  const file = readFile(text);
  const faults = findRuleFaults(file, classes);
  if (faults.length > 0) throw new RulesError(faults.join("\n"));

  const rules = Object.entries(file.classes).map(
    ([className, { rules: entries }]) =>
      [
        className,
        Object.entries(entries).map(([ruleName, entry]) =>
          toRule(file, `${className}/${ruleName}`, entry),
        ),
      ] as const,
  );
  return {
    domain: file.domain,
    rulesByClass: new Map(rules),
    overridesByRule: indexOverrides(overridesOf(file)),
    planByTenant: new Map(
      Object.entries(file.tenants).map(([tenant, { plan }]) => [tenant, plan]),
    ),
    plans: new Set(Object.keys(file.plans)),
    defaultPlan: file.default_plan,
  };
}

function readFile(text: string): RulesFile {
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new RulesError(`the file is no YAML: ${why}`, { cause });
  }
  const result = rulesFile.safeParse(content);
  if (!result.success) throw new RulesError(prettifyError(result.error));
  return result.data;
}

function toRule(file: RulesFile, name: string, entry: RuleEntry): Rule {
  const limit = limitOf(entry, entry.limit, entry.burst);
  return {
    name,
    per: entry.per,
    when: Object.entries(entry.when),
    algorithm: entry.algorithm,
    limit,
    limitByPlan: new Map(
      Object.entries(file.plans).map(([plan, { scale }]) => [
        plan,
        limitOfPlan(entry, entry.plans[plan], scale),
      ]),
    ),
    buckets: entry.buckets ?? DEFAULT_BUCKETS,
    redisAway: entry.when_redis_away,
    shadow: file.shadow || entry.shadow,
  };
}

/** A rule's own numbers for a plan go before the plan's scale. */
function limitOfPlan(
  entry: RuleEntry,
  own: RuleEntry["plans"][string] | undefined,
  scale: number,
): Limit {
  if (own !== undefined) return limitOf(entry, own.limit, own.burst);
  const scaled = (number: number) => Math.max(1, Math.round(number * scale));
  return limitOf(
    entry,
    scaled(entry.limit),
    entry.burst === undefined ? undefined : scaled(entry.burst),
  );
}

function limitOf(
  entry: RuleEntry,
  limit: number,
  burst: number | undefined,
): Limit {
  // findRuleFaults has seen to it that one of them is there.
  const periodUs = entry.lease ?? entry.period ?? 0;
  return { limit, periodUs, burst: burst ?? limit };
}

function* overridesOf(file: RulesFile): Generator<Override> {
  for (const entry of file.overrides) {
    const [className = "", ruleName = ""] = entry.rule.split("/");
    const rule = file.classes[className]?.rules[ruleName];
    if (rule !== undefined) yield toOverride(entry, rule);
  }
}

function toOverride(entry: OverrideEntry, rule: RuleEntry): Override {
  return {
    rule: entry.rule,
    tenant: entry.tenant,
    subject: entry.subject,
    limit:
      entry.limit === undefined
        ? undefined
        : limitOf(rule, entry.limit, entry.burst),
  };
}
