import type { Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RateLimitAdminService } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { adminOf } from "./admin-client.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
let world: LimiterWorld;
let admin: Client<typeof RateLimitAdminService>;

const RULES = rulesText(
  `subject: { per: [tenant, subject], algorithm: gcra, limit: 2, period: 1h, when_redis_away: closed },
   tenant: { per: [tenant], algorithm: fixed-window, limit: 100, period: 1h, when_redis_away: closed }`,
);

beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startLimiterWorld({ redisUrl: redis.url, rules: RULES });
  admin = adminOf(world, "ratelimit:admin");
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

const entriesOf = (subject: string) => ({
  rate_class: "orders-read",
  tenant: "acme",
  subject,
});

it("looks at counts without taking anything", async () => {
  const entries = entriesOf("peeked");
  await world.passes(entries);

  await admin.peek({ entries });
  const { counters } = await admin.peek({ entries });

  expect(counters).toMatchObject([
    {
      rule: "orders-read/subject",
      algorithm: "gcra",
      limit: 2n,
      burst: 2n,
      remaining: 1n,
      period: { seconds: 3600n },
      resetAfter: { seconds: expect.any(BigInt) },
    },
    { rule: "orders-read/tenant", limit: 100n, burst: 0n },
  ]);
});

it("empties counts, of refusals that other processes know too", async () => {
  await using other = await startLimiterWorld({
    redisUrl: redis.url,
    rules: RULES,
  });
  const entries = entriesOf("forgiven");
  for (let call = 0; call < 3; call += 1) {
    await world.passes(entries);
    await other.passes(entries);
  }
  expect([await world.passes(entries), await other.passes(entries)]).toEqual([
    false,
    false,
  ]);

  const { rules } = await admin.reset({ entries });

  expect(rules).toEqual(["orders-read/subject", "orders-read/tenant"]);
  expect(await world.passes(entries)).toBe(true);
  await eventually("the other process forgets", () => other.passes(entries));
});

it("lists who is refused most", async () => {
  for (const [subject, calls] of [
    ["greedy & co", 30],
    ["eager", 16],
    ["modest", 2],
  ] as const) {
    for (let call = 0; call < calls; call += 1)
      await world.passes(entriesOf(subject));
  }

  await eventually("refusals are listed", async () => {
    const { offenders } = await admin.listTopOffenders({ pageSize: 2 });
    return offenders.length === 2 && offenders[0]?.refusals === 28n;
  });
  const { offenders } = await admin.listTopOffenders({ pageSize: 2 });
  expect(offenders).toMatchObject([
    {
      rule: "orders-read/subject",
      entries: { tenant: "acme", subject: "greedy & co" },
      refusals: 28n,
    },
    { entries: { subject: "eager" }, refusals: 14n },
  ]);
});

it("tells the rules in force, and what is wrong with a file that was refused", async () => {
  const before = await admin.getConfiguration({});
  await world.writeRules("domain: test");
  await eventually("the fault is told", async () => {
    const { fault } = await admin.getConfiguration({});
    return fault.includes("classes");
  });

  const after = await admin.getConfiguration({});
  await world.writeRules(RULES);

  expect(before).toMatchObject({ yaml: RULES, fault: "" });
  expect(after).toMatchObject({ yaml: RULES, version: before.version });
});

it("tells a fault again that comes back after it was mended", async () => {
  const faulty = RULES.replace("per: [tenant],", "per: [tenat],");
  const faultIs = (expected: RegExp) =>
    eventually(`the fault is ${expected.source}`, async () =>
      expected.test((await admin.getConfiguration({})).fault),
    );

  await world.writeRules(faulty);
  await faultIs(/names tenat/);
  await world.writeRules(RULES);
  await faultIs(/^$/);
  await world.writeRules(faulty);

  await faultIs(/names tenat/);
  await world.writeRules(RULES);
});

it("answers NOT_FOUND for entries that meet no rule", async () => {
  const call = admin.peek({ entries: { rate_class: "unheard-of" } });

  await expect(call).rejects.toMatchObject({ code: 5 });
});

it("refuses whoever lacks the scope", async () => {
  const stranger = adminOf(world, "orders:read");

  await expect(stranger.getConfiguration({})).rejects.toMatchObject({
    code: 7,
  });
});

it("answers UNAVAILABLE while Redis is away", async () => {
  await redis.stop();
  const call = admin.peek({ entries: entriesOf("any") });

  await expect(call).rejects.toMatchObject({ code: 14 });
  await redis.start();
});
