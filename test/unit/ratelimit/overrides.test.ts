import fc from "fast-check";
import { expect, it } from "vitest";
import { parseRules } from "../../../services/ratelimit/app/parse-rules.ts";
import { checksOf } from "../../../services/ratelimit/domain/check.ts";
import type { RuleSet } from "../../../services/ratelimit/domain/rule.ts";

interface Override {
  readonly rule: string;
  readonly tenant?: string;
  readonly subject?: string;
  readonly limit?: number;
  readonly unlimited?: true;
}

const RULE_LIMIT = 1_000_000;

/** Two rules of one class, with these overrides. */
function rulesWith(overrides: readonly Override[]): RuleSet {
  const numbers = `algorithm: fixed-window, limit: ${RULE_LIMIT}, period: 1s, when_redis_away: open`;
  return parseRules(
    `
domain: edge
default_plan: free
plans: { free: {} }
classes:
  orders:
    when_service_away: open
    rules: { one: { ${numbers} }, other: { ${numbers} } }
overrides: ${JSON.stringify(overrides)}`,
    [{ name: "orders", methods: [{ path: "/a.B/C", stream: "unary" }] }],
  );
}

function check(rules: RuleSet, caller: Readonly<Record<string, string>>) {
  const entries = new Map(Object.entries({ rate_class: "orders", ...caller }));
  return checksOf(rules, { entries, hits: 1 }, () => "lease");
}

const name = fc.constantFrom("ada", "bob", "cy");
const override: fc.Arbitrary<Override> = fc
  .record({
    rule: fc.constantFrom("orders/one", "orders/other"),
    names: fc.oneof(
      fc.record({ tenant: name }),
      fc.record({ subject: name }),
      fc.record({ tenant: name, subject: name }),
    ),
    limit: fc.option(fc.integer({ min: 1, max: 1_000 })),
  })
  .map(({ rule, names, limit }) => ({
    rule,
    ...names,
    ...(limit === null ? { unlimited: true as const } : { limit }),
  }));
const caller = fc.record({ tenant: name, subject: name }, { requiredKeys: [] });

/** The numbers of the narrowest override that fits, of the first in the file among equals; `undefined` where there is no limit. */
function expected(
  overrides: readonly Override[],
  rule: string,
  { tenant, subject }: { tenant?: string; subject?: string },
): number | undefined {
  const width = (one: Override) =>
    (one.tenant === undefined ? 1 : 0) + (one.subject === undefined ? 2 : 0);
  const [found] = overrides
    .filter((one) => one.rule === rule)
    .filter((one) => one.tenant === undefined || one.tenant === tenant)
    .filter((one) => one.subject === undefined || one.subject === subject)
    .toSorted((a, b) => width(a) - width(b));
  return found === undefined ? RULE_LIMIT : found.limit;
}

it("takes the narrowest override that fits, and of several the first", () => {
  fc.assert(
    fc.property(
      fc.array(override, { maxLength: 30 }),
      fc.array(caller, { minLength: 1 }),
      (overrides, callers) => {
        const rules = rulesWith(overrides);
        for (const one of callers) {
          const limits = new Map(
            check(rules, one).map(({ rule, limit }) => [
              rule.name,
              limit.limit,
            ]),
          );

          for (const rule of ["orders/one", "orders/other"])
            expect(limits.get(rule)).toBe(expected(overrides, rule, one));
        }
      },
    ),
  );
});

it("finds a caller's override among ten thousand about as soon as among ten", () => {
  const overridesOf = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      rule: "orders/one",
      tenant: `tenant-${at % 7}`,
      subject: `subject-${at}`,
      limit: 5,
    }));
  const few = rulesWith(overridesOf(10));
  const many = rulesWith(overridesOf(10_000));
  const cpuOf = (rules: RuleSet) => {
    const before = process.threadCpuUsage();
    for (let call = 0; call < 1_000; call += 1)
      check(rules, { tenant: "tenant-8", subject: `caller-${call}` });
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  };
  cpuOf(few);
  cpuOf(many);

  // By a scan of all it is some 500 times as much.
  expect(cpuOf(many)).toBeLessThan(50 * Math.max(cpuOf(few), 200));
});
