import { DomainError } from "../../platform/runtime/errors.ts";
import { CLASS_ENTRY, checksOf, type Check } from "../domain/check.ts";
import type { Rule, RuleSet } from "../domain/rule.ts";
import type { CounterKey } from "../store/counter-key.ts";

export interface CountersOfDeps {
  readonly rules: () => RuleSet;
  readonly counterKey: CounterKey;
}

/**
 * The counts that a request with these entries would meet, with their keys, asking for nothing: those that the entries name.
 *
 * @throws DomainError NO_RULE
 */
export function countersOf(
  deps: CountersOfDeps,
  entries: ReadonlyMap<string, string>,
): { readonly key: string; readonly check: Check }[] {
  const checks = checksOf(deps.rules(), { entries, hits: 0 }, () => "").filter(
    ({ rule }) => namesCount(rule, entries),
  );
  if (checks.length === 0) throw noRule(entries);
  return checks.map((check) => ({ key: deps.counterKey(check), check }));
}

/** Whether the entries say whose count of the rule is meant: an entry that is left out is not an empty one. */
export function namesCount(
  rule: Rule,
  entries: ReadonlyMap<string, string>,
): boolean {
  return rule.per.every((key) => entries.has(key));
}

export function noRule(entries: ReadonlyMap<string, string>): DomainError {
  const rateClass = entries.get(CLASS_ENTRY) ?? "";
  return new DomainError({
    code: "not_found",
    reason: "NO_RULE",
    message: `No rule limits these entries by a count that they name; rate_class is "${rateClass}".`,
    metadata: { rate_class: rateClass },
  });
}

/** An operator's question that only the counts could answer. */
export function countsUnavailable(cause?: unknown): DomainError {
  return new DomainError({
    code: "unavailable",
    reason: "COUNTS_UNAVAILABLE",
    message: "Redis, where the counts are, does not answer.",
    retryAfterMs: 1_000,
    cause,
  });
}
