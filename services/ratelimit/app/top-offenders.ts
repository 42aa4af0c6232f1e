import type { Redis } from "ioredis";
import type { RuleSet } from "../domain/rule.ts";
import { readSubject } from "../domain/subject.ts";
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
    const { domain } = deps.rules();
    const found = await listRefused(deps.redis, domain, most, deps.now());
    return found.map(({ subject, refusals }) => ({
      ...readSubject(subject),
      refusals,
    }));
  } catch (error) {
    throw countsUnavailable(error);
  }
}
