import { findEntryFaults } from "./entry-faults.ts";
import type { RateClasses } from "./rate-classes.ts";
import type { RuleEntry, RulesFile } from "./rules-file.ts";

/** Below that, a count's arithmetic of microseconds gets coarse; no Redis serves one key so often. */
const SHORTEST_STEP_US = 10;
/** What a script may write into the state of a sliding window. */
const LARGEST_SCALED_LIMIT = 1e12;

/** What does not fit together in a file of rules, or does not fit the contracts; a line each. */
export function findRuleFaults(
  file: RulesFile,
  classes: RateClasses,
): string[] {
  return [
    ...findClassFaults(file, classes),
    ...findPlanFaults(file),
    ...Object.entries(file.classes).flatMap(([name, { rules }]) =>
      Object.entries(rules).flatMap(([rule, entry]) =>
        findNumberFaults(file, entry, streamsOnly(classes, name)).map(
          (fault) => `classes.${name}.rules.${rule} ${fault}`,
        ),
      ),
    ),
    ...findEntryFaults(file, classes),
    ...findOverrideFaults(file),
  ];
}

function findClassFaults(file: RulesFile, classes: RateClasses): string[] {
  const named = new Set(classes.map(({ name }) => name));
  const without = [...named]
    .filter((name) => file.classes[name] === undefined)
    .map(
      (name) =>
        `classes.${name} is missing: the contracts name this rate_class, and without numbers it would be open`,
    );
  const unknown = Object.keys(file.classes)
    .filter((name) => !named.has(name))
    .map(
      (name) =>
        `classes.${name} is the rate_class of no method that the edge lets in`,
    );
  const empty = Object.entries(file.classes)
    .filter(([, { rules }]) => Object.keys(rules).length === 0)
    .map(([name]) => `classes.${name}.rules is empty`);
  return [...without, ...unknown, ...empty];
}

function findPlanFaults(file: RulesFile): string[] {
  const known = (plan: string) => file.plans[plan] !== undefined;
  return [
    ...(known(file.default_plan)
      ? []
      : [`default_plan ${file.default_plan} is not among the plans`]),
    ...Object.entries(file.tenants)
      .filter(([, { plan }]) => !known(plan))
      .map(
        ([tenant, { plan }]) =>
          `tenants.${tenant}.plan ${plan} is not among the plans`,
      ),
    ...Object.entries(file.classes).flatMap(([name, { rules }]) =>
      Object.entries(rules).flatMap(([rule, { plans }]) =>
        Object.keys(plans)
          .filter((plan) => !known(plan))
          .map(
            (plan) =>
              `classes.${name}.rules.${rule}.plans.${plan} is not among the plans`,
          ),
      ),
    ),
  ];
}

function findNumberFaults(
  file: RulesFile,
  rule: RuleEntry,
  ofStreams: boolean,
): string[] {
  const faults: string[] = [];
  const concurrent = rule.algorithm === "concurrency";
  if (concurrent && rule.lease === undefined)
    faults.push("is of concurrency and has no lease");
  if (concurrent && rule.period !== undefined)
    faults.push("is of concurrency, which has a lease and no period");
  if (concurrent && !ofStreams)
    faults.push(
      "is of concurrency, but the class has unary methods, of whose end the edge does not tell",
    );
  if (concurrent && rule.when_redis_away === "local")
    faults.push(
      "has when_redis_away local, which counts by a rate; concurrency is open or closed without Redis",
    );
  if (!concurrent && rule.period === undefined) faults.push("has no period");
  if (!concurrent && rule.lease !== undefined)
    faults.push("has a lease, which is for concurrency");
  const bursts = rule.algorithm === "gcra" || rule.algorithm === "token-bucket";
  if (!bursts && rule.burst !== undefined)
    faults.push("has a burst, which is for gcra and token-bucket");
  if (rule.algorithm !== "sliding-window" && rule.buckets !== undefined)
    faults.push("has buckets, which are for sliding-window");
  return [...faults, ...findRateFaults(file, rule, bursts)];
}

function findRateFaults(
  file: RulesFile,
  rule: RuleEntry,
  bursts: boolean,
): string[] {
  const scales = Object.values(file.plans).map(({ scale }) => scale);
  const largest = Math.max(
    rule.limit * Math.max(1, ...scales),
    ...Object.values(rule.plans).map(({ limit }) => limit),
  );
  if (largest > LARGEST_SCALED_LIMIT)
    return [`has a limit that a plan scales to ${largest}`];
  if (bursts && rule.period && rule.period / largest < SHORTEST_STEP_US)
    return [
      "allows more than 100000 a second by its largest plan, which is finer than it can count",
    ];
  return [];
}

function findOverrideFaults(file: RulesFile): string[] {
  return file.overrides.flatMap((override, index) => {
    const where = `overrides[${index}]`;
    const [name = "", rule = ""] = override.rule.split("/");
    const faults: string[] = [];
    if (file.classes[name]?.rules[rule] === undefined)
      faults.push(`${where}.rule ${override.rule} does not exist`);
    if (override.tenant === undefined && override.subject === undefined)
      faults.push(`${where} names neither tenant nor subject`);
    if ((override.limit === undefined) === (override.unlimited === undefined))
      faults.push(`${where} must have either a limit or unlimited`);
    return faults;
  });
}

function streamsOnly(classes: RateClasses, name: string): boolean {
  const methods = classes.find((one) => one.name === name)?.methods ?? [];
  return methods.every(({ stream }) => stream !== "unary");
}
