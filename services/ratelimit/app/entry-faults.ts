import { CLASS_ENTRY } from "../domain/check.ts";
import type { RateClasses } from "./rate-classes.ts";
import type { RuleEntry, RulesFile } from "./rules-file.ts";

/** What the edge tells of every call, but `plan` where the token claims none. A stream's `request_id` is another each time. */
export const EDGE_ENTRIES: readonly string[] = [
  CLASS_ENTRY,
  "method",
  "tenant",
  "subject",
  "plan",
  "remote_address",
];

/**
 * The names in `per` and `when` that no call of the edge has, a line each: all callers would share a count that is meant to be
 * one each, or the rule would never hold.
 */
export function findEntryFaults(
  file: RulesFile,
  classes: RateClasses,
): string[] {
  return Object.entries(file.classes).flatMap(([className, { rules }]) => {
    const known = {
      [CLASS_ENTRY]: [className],
      method: methodsOf(classes, className),
      plan: Object.keys(file.plans),
    };
    return Object.entries(rules).flatMap(([rule, { per, when }]) =>
      [...findPerFaults(per), ...findWhenFaults(when, known)].map(
        (fault) => `classes.${className}.rules.${rule}.${fault}`,
      ),
    );
  });
}

function findPerFaults(per: RuleEntry["per"]): string[] {
  return per
    .filter((key) => !EDGE_ENTRIES.includes(key))
    .map((key) => `per names ${key}, ${noneOf(EDGE_ENTRIES)}`);
}

function findWhenFaults(
  when: RuleEntry["when"],
  known: Readonly<Record<string, readonly string[]>>,
): string[] {
  return Object.entries(when).flatMap(([key, value]) => {
    if (!EDGE_ENTRIES.includes(key))
      return [`when names ${key}, ${noneOf(EDGE_ENTRIES)}`];
    const values = known[key];
    return values === undefined || values.includes(value)
      ? []
      : [`when.${key} is ${value}, ${noneOf(values)}`];
  });
}

/** As the edge sends them, which is without the slash. */
function methodsOf(classes: RateClasses, name: string): string[] {
  const methods = classes.find((one) => one.name === name)?.methods ?? [];
  return methods.map(({ path }) => path.slice(1));
}

function noneOf(names: readonly string[]): string {
  return `which is none of ${names.join(", ")}`;
}
