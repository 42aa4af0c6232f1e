import { expect, it } from "vitest";
import { parseRules } from "../../../services/ratelimit/app/parse-rules.ts";
import { checksOf } from "../../../services/ratelimit/domain/check.ts";
import { createCounterKey } from "../../../services/ratelimit/store/counter-key.ts";

function setup() {
  const counterKey = createCounterKey("edge");
  /** The key that a caller's count has under a rule of these numbers. */
  return (numbers: string) => {
    const text = `
domain: edge
default_plan: free
plans: { free: {} }
classes:
  orders:
    when_service_away: open
    rules: { subject: { per: [subject], when_redis_away: open, ${numbers} } }`;
    const rules = parseRules(text, [
      {
        name: "orders",
        methods: [{ path: "/a.B/C", stream: "server_streaming" }],
      },
    ]);
    const entries = new Map([
      ["rate_class", "orders"],
      ["subject", "ada"],
    ]);
    const [check] = checksOf(rules, { entries, hits: 1 }, () => "lease");
    if (check === undefined) throw new Error("the rule does not hold");
    return counterKey(check);
  };
}

it.each([
  [
    "a sliding window of another period",
    "algorithm: sliding-window, limit: 5, period: 1m",
    "algorithm: sliding-window, limit: 5, period: 1h",
  ],
  [
    "a sliding window of other buckets",
    "algorithm: sliding-window, limit: 5, period: 1m, buckets: 20",
    "algorithm: sliding-window, limit: 5, period: 1m, buckets: 10",
  ],
  [
    "a fixed window of another period",
    "algorithm: fixed-window, limit: 5, period: 1m",
    "algorithm: fixed-window, limit: 5, period: 1h",
  ],
  [
    "gcra of another period",
    "algorithm: gcra, limit: 60, period: 1h",
    "algorithm: gcra, limit: 100, period: 1s",
  ],
  [
    "gcra whose burst takes longer to come back",
    "algorithm: gcra, limit: 1, period: 1h, burst: 1000",
    "algorithm: gcra, limit: 1000, period: 1h",
  ],
  [
    "another algorithm",
    "algorithm: gcra, limit: 5, period: 1m",
    "algorithm: token-bucket, limit: 5, period: 1m",
  ],
])("gives %s a count of its own", (_, before, after) => {
  const keyOf = setup();

  expect(keyOf(after)).not.toBe(keyOf(before));
  expect(keyOf(before)).toBe(keyOf(before));
});

it.each([
  [
    "a limit of a sliding window",
    "algorithm: sliding-window, limit: 5, period: 1m",
    "algorithm: sliding-window, limit: 9, period: 1m",
  ],
  [
    "a limit of a fixed window",
    "algorithm: fixed-window, limit: 5, period: 1m",
    "algorithm: fixed-window, limit: 9, period: 1m",
  ],
  [
    "a limit of gcra",
    "algorithm: gcra, limit: 5, period: 1m",
    "algorithm: gcra, limit: 9, period: 1m",
  ],
  [
    "a rate of a token bucket",
    "algorithm: token-bucket, limit: 5, period: 1m",
    "algorithm: token-bucket, limit: 9, period: 1h",
  ],
  [
    "a lease",
    "algorithm: concurrency, limit: 5, lease: 1m",
    "algorithm: concurrency, limit: 5, lease: 1h",
  ],
])("keeps the count where %s changes", (_, before, after) => {
  const keyOf = setup();

  expect(keyOf(after)).toBe(keyOf(before));
});
