import {
  checksOf,
  neverHasRoom,
  type Check,
  type Descriptor,
} from "../domain/check.ts";
import type { CheckOutcome, Decision } from "../domain/decision.ts";
import type { DenyCache } from "../domain/deny-cache.ts";
import type { RuleSet } from "../domain/rule.ts";
import type { CounterKey } from "../store/counter-key.ts";
import { RedisAwayError, type Counters } from "../store/counters.ts";
import type { CounterResult } from "../store/decision-script.ts";
import { outcomesAlone, type AloneDeps } from "./decide-alone.ts";

/** A place of `concurrency` is free as soon as any stream ends; the end of a lease, an hour away, is the worst case only. */
const LONGEST_PLACE_RETRY_MS = 5_000;

export interface DecideDeps extends AloneDeps {
  readonly rules: () => RuleSet;
  readonly counters: Counters;
  readonly counterKey: CounterKey;
  readonly denied: DenyCache;
  /** Tells the other processes to forget what they know to be refused, without a wait. */
  readonly forgetEverywhere: (keys: readonly string[]) => void;
  readonly newLease: () => string;
}

/**
 * Decides a request: all of its descriptors' checks together, all or nothing. Refusals that are known are not asked again
 * before their time, and what never has room is not asked at all. Without Redis each rule answers as it says.
 */
export async function decide(
  deps: DecideDeps,
  domain: string,
  descriptors: readonly Descriptor[],
): Promise<Decision> {
  const rules = deps.rules();
  const byDescriptor =
    domain === rules.domain
      ? descriptors.map((one) => checksOf(rules, one, deps.newLease))
      : descriptors.map(() => []);
  const counted = mergeChecks(deps, byDescriptor);
  if (counted.size === 0)
    return {
      allowed: true,
      by: "no-rule",
      outcomes: byDescriptor.map(() => []),
    };

  const known = knownRefusals(deps, counted);
  if (known !== undefined)
    return answer(known.by, byDescriptor, known.outcomes);
  const sentAtMs = deps.nowMs();
  try {
    const results = await deps.counters.decide(counterChecks(counted));
    forgetGivenBack(deps, counted);
    return answer(
      "redis",
      byDescriptor,
      countedOutcomes(deps, counted, results, sentAtMs),
    );
  } catch (error) {
    if (!(error instanceof RedisAwayError)) throw error;
    const outcomes = outcomesAlone(deps, [...counted.values()]);
    return answer("redis-away", byDescriptor, outcomes);
  }
}

/** By Redis key; hits that fall on one count add up. */
type CountedChecks = ReadonlyMap<string, Check>;
/** By subject, which is what a count is of. */
type Outcomes = ReadonlyMap<string, CheckOutcome>;

function mergeChecks(
  deps: DecideDeps,
  byDescriptor: readonly (readonly Check[])[],
): CountedChecks {
  const merged = new Map<string, Check>();
  for (const checks of byDescriptor) {
    for (const check of checks) {
      const key = deps.counterKey(check);
      const other = merged.get(key);
      merged.set(
        key,
        other ? { ...other, hits: other.hits + check.hits } : check,
      );
    }
  }
  return merged;
}

function knownRefusals(
  deps: DecideDeps,
  counted: CountedChecks,
): { by: Decision["by"]; outcomes: Outcomes } | undefined {
  const nowMs = deps.nowMs();
  let by: Decision["by"] | undefined;
  const outcomes = new Map<string, CheckOutcome>();
  for (const [key, check] of counted) {
    const never = neverHasRoom(check) && !check.rule.shadow;
    const retryMs = never
      ? Infinity
      : deps.denied.retryMs(key, check.spec, check.hits, nowMs);
    if (never) by = "size";
    else if (retryMs > 0) by ??= "deny-cache";
    outcomes.set(check.subject, {
      check,
      room: retryMs === 0,
      remaining: retryMs > 0 ? 0 : undefined,
      retryMs,
      resetMs: retryMs,
    });
  }
  return by && { by, outcomes };
}

/** What was given back may have room before the time that a refusal told. */
function forgetGivenBack(deps: DecideDeps, counted: CountedChecks): void {
  for (const [key, { rule, hits }] of counted) {
    if (hits >= 0 || rule.algorithm === "concurrency") continue;
    deps.denied.forget(key);
    deps.forgetEverywhere([key]);
  }
}

function counterChecks(counted: CountedChecks) {
  return Array.from(counted, ([key, check]) => ({
    key,
    spec: check.spec,
    amount: amountOf(check),
  }));
}

/** A lease is lent once, however many hits; nothing is lent for none. A stream's end gives it back, and no negative hits do. */
function amountOf({ rule, hits, lease }: Check): string {
  if (rule.algorithm !== "concurrency") return String(hits);
  return hits > 0 ? lease : "";
}

function countedOutcomes(
  deps: DecideDeps,
  counted: CountedChecks,
  results: readonly CounterResult[],
  sentAtMs: number,
): Outcomes {
  const outcomes = new Map<string, CheckOutcome>();
  let index = 0;
  for (const [key, check] of counted) {
    const result = results[index++];
    if (result === undefined) throw new Error(`no result for ${key}`);
    const { room, remaining, retryUs, resetUs } = result;
    const { rule, spec, hits } = check;
    const retryMs = retryMsOf(rule, retryUs);
    // A lease may be given back at any time, so its refusal is never known beforehand. The time counts from before the
    // question: a refusal that is kept too long would be a wrong answer, one that is dropped early costs a question.
    if (!room && !rule.shadow && rule.algorithm !== "concurrency")
      deps.denied.remember(key, spec, hits, sentAtMs + retryMs);
    outcomes.set(check.subject, {
      check,
      room,
      remaining,
      retryMs,
      resetMs: resetUs / 1_000,
    });
  }
  return outcomes;
}

function retryMsOf({ algorithm }: Check["rule"], retryUs: number): number {
  const retryMs = retryUs / 1_000;
  return algorithm === "concurrency"
    ? Math.min(retryMs, LONGEST_PLACE_RETRY_MS)
    : retryMs;
}

function answer(
  by: Decision["by"],
  byDescriptor: readonly (readonly Check[])[],
  outcomes: Outcomes,
): Decision {
  const ordered = byDescriptor.map((checks) =>
    checks.flatMap(({ subject }) => outcomes.get(subject) ?? []),
  );
  const allowed = [...outcomes.values()].every(
    ({ room, check }) => room || check.rule.shadow,
  );
  return { allowed, by, outcomes: ordered };
}
