import { DomainError } from "../../platform/runtime/errors.ts";
import { CLASS_ENTRY, checksOf, type Check } from "../domain/check.ts";
import type { RuleSet } from "../domain/rule.ts";
import type { CounterKey } from "../store/counter-key.ts";

export interface CountersOfDeps {
  readonly rules: () => RuleSet;
  readonly counterKey: CounterKey;
}

/**
 * The counts that a request with these entries would meet, with their keys, asking for nothing.
 *
 * @throws DomainError NO_RULE
 */
export function countersOf(
  deps: CountersOfDeps,
  entries: ReadonlyMap<string, string>,
): { readonly key: string; readonly check: Check }[] {
  const checks = checksOf(deps.rules(), { entries, hits: 0 }, () => "");
  if (checks.length === 0) {
    const rateClass = entries.get(CLASS_ENTRY) ?? "";
    throw new DomainError({
      code: "not_found",
      reason: "NO_RULE",
      message: `No rule holds for these entries; rate_class is "${rateClass}".`,
      metadata: { rate_class: rateClass },
    });
  }
  return checks.map((check) => ({ key: deps.counterKey(check), check }));
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
