import { afterAll, beforeAll, expect, it } from "vitest";
import { RateLimitResponse_Code as Code } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
let world: LimiterWorld;
let names = 0;

beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rulesText(
      "all: { algorithm: fixed-window, limit: 1000000, period: 1h, when_redis_away: open }",
      "places: { per: [subject], algorithm: concurrency, limit: 3, lease: 1h, when_redis_away: open }",
    ),
  });
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

/** Three places of one more subject. */
function setup() {
  names += 1;
  const subject = `subject-${names}`;
  const stream = (request_id: string) => ({
    rate_class: "orders-watch",
    subject,
    request_id,
  });
  const opens = async (id: string) =>
    (await world.ask([stream(id)])).overallCode === Code.OK;
  return {
    opens,
    ends: (id: string) => world.ask([{ ...stream(id), release: "stream" }]),
    /** Takes all of them. */
    async free() {
      const opened = [];
      for (const id of ["x", "y", "z"]) opened.push(await opens(id));
      return opened.filter(Boolean).length;
    },
  };
}

it("takes a place back whose stream ends while it is asked about", async () => {
  const { opens, ends, free } = setup();

  for (const id of ["a", "b", "c", "d"])
    await Promise.all([opens(id), ends(id)]);

  expect(await free()).toBe(3);
});

it("lends no place to a stream whose end is heard first", async () => {
  const { opens, ends, free } = setup();

  await ends("a");
  const opened = await opens("a");

  expect(opened).toBe(true);
  expect(await free()).toBe(3);
});

it("knows an end that is told twice", async () => {
  const { opens, ends, free } = setup();
  await opens("a");

  await ends("a");
  await ends("a");

  expect(await free()).toBe(3);
});

it("keeps a few ends of streams that it lent nothing, and not for long", async () => {
  const { ends } = setup();

  for (let round = 0; round < 20; round += 1)
    await Promise.all(
      Array.from({ length: 100 }, (_, id) => ends(`${round}-${id}`)),
    );

  const keys = await redis.redis.keys("*:ended");
  const kept = await Promise.all(keys.map((key) => redis.redis.zcard(key)));
  const lives = await Promise.all(keys.map((key) => redis.redis.pttl(key)));
  expect(Math.max(...kept)).toBe(500);
  expect(Math.min(...lives)).toBeGreaterThan(0);
  expect(Math.max(...lives)).toBeLessThanOrEqual(10_000);
  expect(await redis.redis.dbsize()).toBeLessThan(20);
});
