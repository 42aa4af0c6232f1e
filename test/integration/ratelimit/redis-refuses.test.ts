import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { readMetrics } from "../../support/read-metrics.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { rulesText, startLimiterWorld } from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
}, 60_000);
afterAll(() => redis[Symbol.asyncDispose]());

const RULES = rulesText(
  `open: { per: [tenant], when: { tenant: open }, algorithm: gcra, limit: 1, period: 1h, when_redis_away: open },
   closed: { per: [tenant], when: { tenant: closed }, algorithm: gcra, limit: 1000, period: 1h, when_redis_away: closed }`,
);

it("says once why Redis does not count, answers by each rule's mode, and says when it counts again", async () => {
  const user = ["setuser", "limiter", "on", ">secret", "~*", "&*", "+@all"];
  await redis.redis.call("acl", ...user, "-eval", "-evalsha");
  const [warn, info] = [vi.fn(), vi.fn()];
  const read = readMetrics();
  await using world = await startLimiterWorld({
    redisUrl: redis.url.replace("redis://", "redis://limiter:secret@"),
    rules: RULES,
    logger: { ...silentLogger, warn, info },
  });
  const ask = async (tenant: string, count: number) => {
    let passed = 0;
    for (let call = 0; call < count; call += 1)
      if (await world.passes({ tenant })) passed += 1;
    return passed;
  };

  expect(await read("weft.ratelimit.decisions.uncounted")).toEqual([0]);
  expect(await ask("open", 20)).toBe(20);
  expect(await ask("closed", 20)).toBe(0);
  expect(await read("weft.ratelimit.decisions.uncounted")).toEqual([40]);
  expect(warn.mock.calls).toEqual([
    [
      {
        err: expect.objectContaining({
          message: expect.stringMatching(/NOPERM.*evalsha/),
        }),
      },
      "decisions are answered without Redis",
    ],
  ]);

  await redis.redis.call("acl", ...user);
  await eventually(
    "decisions are counted",
    async () => (await ask("closed", 1)) === 1,
  );
  await ask("closed", 20);
  const told = info.mock.calls.map(([, message]) => String(message));
  expect(told.filter((message) => message.includes("counted"))).toEqual([
    "decisions are counted in Redis again",
  ]);
});
