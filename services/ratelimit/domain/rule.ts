import type { Overrides } from "./overrides.ts";

/** How a rule counts; the service's README says what each promises. */
export type Algorithm =
  "gcra" | "token-bucket" | "sliding-window" | "fixed-window" | "concurrency";

/** What a rule answers while Redis is away: everything, nothing, or by a count of this process alone. */
export type RedisAway = "open" | "closed" | "local";

/** The numbers that a rule counts with. */
export interface Limit {
  readonly limit: number;
  /** Microseconds: the period of a rate, the longest life of a lease of `concurrency`. */
  readonly periodUs: number;
  /** What may come at once: of `gcra` and `token-bucket`. */
  readonly burst: number;
}

export interface Rule {
  /** `<class>/<rule>`, in answers, keys and metrics. */
  readonly name: string;
  /** The descriptor's entries that have a count of their own each; none of them, and all callers share one. */
  readonly per: readonly string[];
  /** Entries that a descriptor must have for the rule to hold. */
  readonly when: readonly (readonly [key: string, value: string])[];
  readonly algorithm: Algorithm;
  readonly limit: Limit;
  readonly limitByPlan: ReadonlyMap<string, Limit>;
  /** Into how many parts a sliding window is cut. */
  readonly buckets: number;
  readonly redisAway: RedisAway;
  /** Counts and reports, and refuses nobody. */
  readonly shadow: boolean;
}

/** Other numbers for one tenant or subject; the narrowest that fits counts. A `limit` of `undefined` lifts it. */
export interface Override {
  readonly rule: string;
  readonly tenant: string | undefined;
  readonly subject: string | undefined;
  readonly limit: Limit | undefined;
}

/** A whole file of rules, as it is used. */
export interface RuleSet {
  readonly domain: string;
  readonly rulesByClass: ReadonlyMap<string, readonly Rule[]>;
  readonly overridesByRule: ReadonlyMap<string, Overrides>;
  readonly planByTenant: ReadonlyMap<string, string>;
  readonly plans: ReadonlySet<string>;
  readonly defaultPlan: string;
}
