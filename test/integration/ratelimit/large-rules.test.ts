import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { parse } from "yaml";
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

const RULE = `subject: { per: [tenant, subject], algorithm: gcra, limit: 2, period: 1h, when_redis_away: closed }`;
const OVERRIDES = Array.from(
  { length: 10_000 },
  (_, at) =>
    `\n  - { rule: orders-read/subject, tenant: acme, subject: robot-${at}, limit: ${at + 3} }`,
).join("");

async function setup() {
  await redis.redis.flushall();
  const info = vi.fn();
  const world = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rulesText(RULE),
    logger: { ...silentLogger, info },
  });
  return {
    world,
    admin: adminOf(world, "ratelimit:admin"),
    async inForce(text: string) {
      await world.writeRules(text);
      await eventually("new rules are in force", () =>
        info.mock.calls.some(([, what]) => what === "new rules are in force"),
      );
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

it("reads a large file in a thread of its own, so that no decision waits for it", async () => {
  await using limiter = await setup();
  const text = rulesText(RULE, undefined, `overrides:${OVERRIDES}`);
  const readHere = cpuMs(() => void parse(text));

  const before = process.threadCpuUsage();
  await limiter.inForce(text);
  const taken = msOf(process.threadCpuUsage(before));

  expect(taken).toBeLessThan(readHere / 2);
  const { counters } = await limiter.admin.peek({
    entries: {
      rate_class: "orders-read",
      tenant: "acme",
      subject: "robot-9999",
    },
  });
  expect(counters).toMatchObject([{ limit: 10_002n }]);
});

function cpuMs(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  return msOf(process.threadCpuUsage(before));
}

function msOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000;
}
