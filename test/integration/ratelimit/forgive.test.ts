import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { adminOf } from "./admin-client.ts";
import { rulesText, startLimiterWorld } from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
}, 60_000);
afterAll(() => redis[Symbol.asyncDispose]());

/** A service with one rule; the burst of `pro` comes back in half of the time, so that its `gcra` keys are others. */
async function setup(
  options: { overrides?: string; more?: string; logger?: Logger } = {},
) {
  await redis.redis.flushall();
  const { overrides = "[]", more = "", logger = silentLogger } = options;
  const world = await startLimiterWorld({
    redisUrl: redis.url,
    logger,
    rules: rulesText(
      `subject: { per: [tenant, subject], when: { method: orders-read }, algorithm: gcra, limit: 2, burst: 2, period: 1h,
                  plans: { pro: { limit: 4, burst: 2 } }, when_redis_away: closed }${more}`,
      undefined,
      `overrides: ${overrides}`,
    ),
  });
  const admin = adminOf(world, "ratelimit:admin");
  return {
    world,
    admin,
    /** Calls until one is refused. */
    async exhaust(entries: Record<string, string>) {
      for (let call = 0; call < 20; call += 1)
        if (!(await world.passes(entries))) return;
      throw new Error("nothing is refused");
    },
    async offenders() {
      await eventually("refusals are listed", async () => {
        const listed = await admin.listTopOffenders({});
        return listed.offenders.length > 0;
      });
      return (await admin.listTopOffenders({})).offenders;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const ADA = { method: "orders-read", tenant: "acme", subject: "ada" };
const named = { rate_class: "orders-read", ...ADA };

it("looks at and empties the count of an offender by what is listed of it, whose plan its token names", async () => {
  await using limiter = await setup();
  await limiter.exhaust({ ...ADA, plan: "pro" });

  const [{ entries } = { entries: {} }] = await limiter.offenders();
  const { counters } = await limiter.admin.peek({ entries });
  const { rules } = await limiter.admin.reset({ entries });

  expect(entries).toEqual({ ...named, plan: "pro" });
  expect(counters).toMatchObject([{ limit: 4n, remaining: 0n, plan: "pro" }]);
  expect(rules).toEqual(["orders-read/subject"]);
  expect(await limiter.world.passes({ ...ADA, plan: "pro" })).toBe(true);
});

it("empties a caller's counts of every plan, whichever its token names", async () => {
  await using limiter = await setup();
  await limiter.exhaust(ADA);
  await limiter.exhaust({ ...ADA, plan: "pro" });

  await limiter.admin.reset({ entries: named });

  expect(await limiter.world.passes(ADA)).toBe(true);
  expect(await limiter.world.passes({ ...ADA, plan: "pro" })).toBe(true);
});

it("empties a count that an override's numbers hold for, of a caller that the entries need not name", async () => {
  const more = `, tenant: { per: [tenant], algorithm: gcra, limit: 50, period: 1h, when_redis_away: closed }`;
  await using limiter = await setup({
    more,
    overrides:
      "[{ rule: orders-read/tenant, subject: robot, limit: 3, burst: 1 }]",
  });
  const robot = { tenant: "acme", subject: "robot" };
  await limiter.exhaust(robot);

  const { rules } = await limiter.admin.reset({
    entries: { rate_class: "orders-read", tenant: "acme" },
  });

  expect(rules).toEqual(["orders-read/tenant"]);
  expect(await limiter.world.passes(robot)).toBe(true);
});

it("tells of a limit whether a plan or an override has it", async () => {
  await using limiter = await setup({
    overrides: "[{ rule: orders-read/subject, subject: robot, limit: 9 }]",
  });
  const peek = async (entries: Record<string, string>) =>
    (await limiter.admin.peek({ entries: { ...named, ...entries } })).counters;

  expect(await peek({})).toMatchObject([{ plan: "free", limit: 2n }]);
  expect(await peek({ plan: "pro" })).toMatchObject([
    { plan: "pro", limit: 4n },
  ]);
  expect(await peek({ plan: "unheard-of" })).toMatchObject([{ plan: "free" }]);
  expect(await peek({ subject: "robot" })).toMatchObject([
    { plan: "", limit: 9n },
  ]);
});

it("neither tells nor empties a count whose caller the entries do not name", async () => {
  await using limiter = await setup();
  const { subject: _, ...tenant } = named;

  await expect(limiter.admin.peek({ entries: tenant })).rejects.toMatchObject({
    code: 5,
  });
  await expect(limiter.admin.reset({ entries: tenant })).rejects.toMatchObject({
    code: 5,
  });
});

it("writes to the audit log whose limits were lifted", async () => {
  const info = vi.fn();
  await using limiter = await setup({ logger: { ...silentLogger, info } });

  await limiter.admin.reset({ entries: named });

  const resource =
    "method=orders-read rate_class=orders-read subject=ada tenant=acme";
  expect(info.mock.calls.map(([fields]: object[]) => fields)).toMatchObject([
    { audit: { phase: "asked", resource } },
    { audit: { phase: "answered", resource, result: "ok" } },
  ]);
});
