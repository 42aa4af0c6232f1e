import { expect, it } from "vitest";
import { rateLimits } from "../../../deploy/edge/rate-limits.ts";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { EDGE_ENTRIES } from "../../../services/ratelimit/app/entry-faults.ts";
import { checksOf } from "../../../services/ratelimit/domain/check.ts";
import { parseRules } from "../../../services/ratelimit/app/parse-rules.ts";
import type { RateClasses } from "../../../services/ratelimit/app/rate-classes.ts";

const classes: RateClasses = [
  {
    name: "orders-write",
    methods: [
      { path: "/a.B/C", stream: "unary" },
      { path: "/a.B/D", stream: "unary" },
    ],
  },
];

const RULE = `
      subject:
        per: [tenant, subject]
        algorithm: gcra
        limit: 10
        period: 1s
        when_redis_away: open`;

function fileWith(rules: string, rest = ""): string {
  return `
domain: edge
default_plan: free
plans: { free: {}, pro: { scale: 10 } }
classes:
  orders-write:
    when_service_away: open
    rules:${rules}
${rest}`;
}

/** The limit that a caller gets, by the entries of their descriptor. */
function limitOf(text: string, entries: Record<string, string>) {
  const rules = parseRules(text, classes);
  const all = { rate_class: "orders-write", ...entries };
  const descriptor = { entries: new Map(Object.entries(all)), hits: 1 };
  return checksOf(rules, descriptor, () => "lease")[0]?.limit.limit;
}

it("scales a limit by the caller's plan, of which the file's word about a tenant goes first", () => {
  const text = fileWith(RULE, "tenants: { acme: { plan: pro } }");

  expect(limitOf(text, { tenant: "other" })).toBe(10);
  expect(limitOf(text, { tenant: "other", plan: "pro" })).toBe(100);
  expect(limitOf(text, { tenant: "other", plan: "unheard-of" })).toBe(10);
  expect(limitOf(text, { tenant: "acme", plan: "free" })).toBe(100);
});

it("takes a rule's own numbers for a plan before the plan's scale", () => {
  const text = fileWith(`${RULE}
        plans: { pro: { limit: 77 } }`);

  expect(limitOf(text, { plan: "pro" })).toBe(77);
});

it("takes the narrowest override", () => {
  const text = fileWith(
    RULE,
    `overrides:
  - { rule: orders-write/subject, tenant: acme, limit: 20 }
  - { rule: orders-write/subject, tenant: acme, subject: robot, limit: 30 }
  - { rule: orders-write/subject, tenant: acme, subject: root, unlimited: true }`,
  );

  expect(limitOf(text, { tenant: "acme", subject: "ada" })).toBe(20);
  expect(limitOf(text, { tenant: "acme", subject: "robot" })).toBe(30);
  expect(limitOf(text, { tenant: "acme", subject: "root" })).toBeUndefined();
  expect(limitOf(text, { tenant: "other", subject: "robot" })).toBe(10);
});

it("holds a rule only for descriptors with its entries", () => {
  const text = fileWith(`${RULE}
        when: { method: a.B/C }`);

  expect(limitOf(text, { method: "a.B/C" })).toBe(10);
  expect(limitOf(text, { method: "a.B/D" })).toBeUndefined();
});

it("takes every entry that the edge sends", () => {
  const text =
    fileWith(`${RULE.replace("[tenant, subject]", `[${EDGE_ENTRIES.join(", ")}]`)}
        when: { rate_class: orders-write, method: a.B/D, tenant: acme, subject: ada, plan: pro, remote_address: 192.0.2.1 }`);

  expect(() => parseRules(text, classes)).not.toThrow();
});

it("knows the entries that the edge sends, and no others", () => {
  const [method] = readRouteTable("gen/edge/routes.json")
    .services.flatMap(({ methods }) => methods)
    .filter(({ stream }) => stream === "unary");
  if (method === undefined) throw new Error("there is no unary method");

  const rendered = JSON.stringify(
    rateLimits(method, { failClosed: [], anonymous: "anonymous" }),
  );

  const sent = rendered.matchAll(
    /"descriptor_key":"(\w+)"|"masked_(remote_address)":/g,
  );
  const keys = Array.from(sent, ([, key, address]) => key ?? address);
  expect(new Set(keys)).toEqual(new Set(EDGE_ENTRIES));
});

it.each([
  [
    "a class of the contracts without numbers",
    fileWith(RULE).replace("orders-write:", "orders-wirte:"),
    [
      "classes.orders-write is missing",
      "classes.orders-wirte is the rate_class of no method",
    ],
  ],
  [
    "a rate without a period",
    fileWith(RULE.replace("period: 1s", "")),
    ["classes.orders-write.rules.subject has no period"],
  ],
  [
    "concurrency for unary methods",
    fileWith(RULE.replace("gcra", "concurrency").replace("period", "lease")),
    ["the class has unary methods"],
  ],
  [
    "concurrency that one process would count alone",
    fileWith(
      RULE.replace("gcra", "concurrency")
        .replace("period", "lease")
        .replace("when_redis_away: open", "when_redis_away: local"),
    ),
    ["has when_redis_away local, which counts by a rate"],
  ],
  [
    "a burst where none is counted",
    fileWith(`${RULE.replace("gcra", "fixed-window")}
        burst: 3`),
    ["has a burst, which is for gcra and token-bucket"],
  ],
  [
    "plans and overrides that lead nowhere",
    fileWith(
      RULE,
      `tenants: { acme: { plan: gold } }
overrides: [{ rule: orders-write/nobody, tenant: acme, limit: 1 }]`,
    ).replace("default_plan: free", "default_plan: none"),
    [
      "default_plan none is not among the plans",
      "tenants.acme.plan gold is not among the plans",
      "overrides[0].rule orders-write/nobody does not exist",
    ],
  ],
  [
    "names that no call of the edge has",
    fileWith(`${RULE.replace("tenant,", "tenat, request_id,")}
        when: { metod: a.B/C }`),
    [
      "classes.orders-write.rules.subject.per names tenat, which is none of rate_class, method, tenant, subject, plan, remote_address",
      "classes.orders-write.rules.subject.per names request_id, which is none of",
      "classes.orders-write.rules.subject.when names metod, which is none of",
    ],
  ],
  [
    "a method, a plan and a class that the rule never meets",
    fileWith(`${RULE}
        when: { method: /a.B/C, plan: gold, rate_class: orders-read }`),
    [
      "classes.orders-write.rules.subject.when.method is /a.B/C, which is none of a.B/C, a.B/D",
      "when.plan is gold, which is none of free, pro",
      "when.rate_class is orders-read, which is none of orders-write",
    ],
  ],
  [
    "fields that do not exist, and numbers that are none",
    fileWith(RULE.replace("limit: 10", "limt: 10")),
    ["limt", "limit"],
  ],
  ["something that is no YAML", "a: [", ["the file is no YAML"]],
])("refuses %s, and names it", (_, text, faults) => {
  for (const fault of faults)
    expect(() => parseRules(text, classes)).toThrow(fault);
});
