import type { Redis } from "ioredis";
import { readOffender } from "../domain/offender.ts";
import type { RuleSet } from "../domain/rule.ts";
import { listRefused } from "../store/offenders.ts";
import { countsUnavailable } from "./counters-of.ts";

export interface TopOffendersDeps {
  readonly redis: Redis | undefined;
  readonly rules: () => RuleSet;
  readonly now: () => Date;
}

export interface Offender {
  readonly rule: string;
  readonly entries: Readonly<Record<string, string>>;
  readonly refusals: number;
}

/**
 * Who was refused most in this hour and the last, by all processes.
 *
 * @throws DomainError COUNTS_UNAVAILABLE
 */
export async function topOffenders(
  deps: TopOffendersDeps,
  most: number,
): Promise<Offender[]> {
  if (deps.redis === undefined) throw countsUnavailable();
  try {
    const rules = deps.rules();
    const found = await listRefused(deps.redis, rules.domain, most, deps.now());
    return found.map(({ subject, refusals }) => ({
      ...readOffender(rules, subject),
      refusals,
    }));
  } catch (error) {
    throw countsUnavailable(error);
  }
}
