import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
}, 60_000);
afterAll(() => redis[Symbol.asyncDispose]());

const rules = (limit: number, window: string) =>
  rulesText(
    `subject: { per: [subject], limit: ${limit}, ${window}, when_redis_away: closed }`,
    "all: { algorithm: gcra, limit: 10, period: 1s, when_redis_away: open }",
  );

async function passing(world: LimiterWorld, count: number) {
  let passed = 0;
  for (let call = 0; call < count; call += 1)
    if (await world.passes({ subject: "ada" })) passed += 1;
  return passed;
}

describe.each([
  // These end by the clock of the day: the longer they are, the fewer runs meet an end.
  {
    change: "a fixed window gets longer",
    before: "algorithm: fixed-window, period: 12h",
    after: "algorithm: fixed-window, period: 1d",
    mostMs: 24 * 3_600_000,
  },
  {
    change: "a fixed window gets shorter",
    before: "algorithm: fixed-window, period: 1d",
    after: "algorithm: fixed-window, period: 12h",
    mostMs: 12 * 3_600_000,
  },
  {
    change: "a sliding window gets longer",
    before: "algorithm: sliding-window, period: 10m",
    after: "algorithm: sliding-window, period: 6h",
    mostMs: (6 * 3_600_000 * 21) / 20,
  },
  {
    change: "a sliding window gets shorter",
    before: "algorithm: sliding-window, period: 6h",
    after: "algorithm: sliding-window, period: 10m",
    mostMs: (600_000 * 21) / 20,
  },
  {
    change: "a sliding window has half the buckets",
    before: "algorithm: sliding-window, period: 1h, buckets: 20",
    after: "algorithm: sliding-window, period: 1h, buckets: 10",
    mostMs: (3_600_000 * 11) / 10,
  },
  {
    change: "a sliding window has twice the buckets",
    before: "algorithm: sliding-window, period: 1h, buckets: 10",
    after: "algorithm: sliding-window, period: 1h, buckets: 20",
    mostMs: (3_600_000 * 21) / 20,
  },
  {
    change: "the period of gcra gets longer",
    before: "algorithm: gcra, period: 10m",
    after: "algorithm: gcra, period: 6h",
    mostMs: 6 * 3_600_000,
  },
  {
    change: "the period of gcra gets shorter",
    before: "algorithm: gcra, period: 6h",
    after: "algorithm: gcra, period: 10m",
    mostMs: 600_000,
  },
])("when $change", ({ before, after, mostMs }) => {
  it("counts anew, and refuses nobody for longer than the new rule may", async () => {
    await redis.redis.flushall();
    await using world = await startLimiterWorld({
      redisUrl: redis.url,
      rules: rules(3, before),
    });
    const ask = async (subject: string) => {
      const { statuses } = await world.ask([
        { rate_class: "orders-read", subject },
      ]);
      return statuses[0];
    };
    expect(await passing(world, 5)).toBe(3);

    await world.writeRules(rules(4, after));
    await eventually("the new rule is in force", async () => {
      const status = await ask("bob");
      return status?.currentLimit?.requestsPerUnit === 4;
    });
    const old = new Set(await redis.redis.keys("*orders-read/*"));

    expect(await passing(world, 6)).toBe(4);
    const refused = await ask("ada");
    expect(Number(refused?.durationUntilReset?.seconds) * 1_000).toBeLessThan(
      mostMs,
    );
    const made = (await redis.redis.keys("*orders-read/*")).filter(
      (key) => !old.has(key),
    );
    expect(made).toHaveLength(1);
    for (const key of made)
      expect(await redis.redis.pttl(key)).toBeLessThanOrEqual(mostMs + 1);
  });
});

it("keeps a token bucket's tokens when its period gets shorter, and fills it by the new rule", async () => {
  await redis.redis.flushall();
  await using world = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rules(3, "algorithm: token-bucket, period: 6h"),
  });
  expect(await passing(world, 5)).toBe(3);

  await world.writeRules(rules(4, "algorithm: token-bucket, period: 1s"));

  // By the old rule a token would take two hours.
  await eventually(
    "there is a token",
    async () => (await passing(world, 1)) === 1,
  );
});
