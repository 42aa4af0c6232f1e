import type { CheckOutcome } from "../domain/decision.ts";
import { RedisAwayError, type Counters } from "../store/counters.ts";
import {
  countersOf,
  countsUnavailable,
  type CountersOfDeps,
} from "./counters-of.ts";

export interface PeekDeps extends CountersOfDeps {
  readonly counters: Counters;
}

/**
 * How full the counts are that a request with these entries would meet.
 *
 * @throws DomainError NO_RULE, COUNTS_UNAVAILABLE
 */
export async function peek(
  deps: PeekDeps,
  entries: ReadonlyMap<string, string>,
): Promise<CheckOutcome[]> {
  const counters = countersOf(deps, entries);
  const questions = counters.map(({ key, check }) => ({
    key,
    spec: check.spec,
    amount: check.rule.algorithm === "concurrency" ? "" : "0",
  }));
  const results = await ask(deps, questions);
  return counters.flatMap(({ check }, index) => {
    const result = results[index];
    if (result === undefined) return [];
    const { room, remaining, retryUs, resetUs } = result;
    const [retryMs, resetMs] = [retryUs / 1_000, resetUs / 1_000];
    return [{ check, room, remaining, retryMs, resetMs }];
  });
}

async function ask(
  deps: PeekDeps,
  questions: Parameters<Counters["decide"]>[0],
) {
  try {
    return await deps.counters.decide(questions);
  } catch (error) {
    if (error instanceof RedisAwayError) throw countsUnavailable(error);
    throw error;
  }
}
