import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { RateLimitResponse_Code as Code } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { eventually } from "../../support/eventually.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
let world: LimiterWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startLimiterWorld({
    redisUrl: redis.url,
    rules: rulesText(
      "subject: { per: [subject], algorithm: gcra, limit: 1, period: 300ms, when_redis_away: closed }",
    ),
  });
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

const refusal = z.object({
  details: z.array(
    z.object({
      retryDelay: z
        .string()
        .regex(/^[\d.]+s$/)
        .optional(),
    }),
  ),
});

/** Takes the only place, and is refused: with when to come back, by the clock of whoever asked. */
async function refused(subject: string) {
  for (;;) {
    const askedAtMs = performance.now();
    const answer = await world.ask([{ rate_class: "orders-read", subject }]);
    const answeredAtMs = performance.now();
    if (answer.overallCode !== Code.OVER_LIMIT) continue;
    const body: unknown = JSON.parse(Buffer.from(answer.rawBody).toString());
    const told = refusal
      .parse(body)
      .details.find(({ retryDelay }) => retryDelay);
    const retryMs = Number.parseFloat(told?.retryDelay ?? "") * 1_000;
    expect(retryMs).toBeGreaterThan(0);
    return {
      earliestMs: askedAtMs + retryMs,
      latestMs: answeredAtMs + retryMs,
    };
  }
}

async function scriptCalls(): Promise<number> {
  const stats = await redis.redis.info("commandstats");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

it("lets nobody in before the retry time that it told, and asks Redis nothing until then", async () => {
  // A machine that stands still has no time for so many questions.
  await eventually("more was asked than Redis was", async () => {
    const subject = randomUUID();
    const { earliestMs } = await refused(subject);
    const before = await scriptCalls();

    let refusals = 0;
    while (!(await world.passes({ subject }))) refusals += 1;

    // What is told is rounded to milliseconds.
    expect(performance.now()).toBeGreaterThan(earliestMs - 1);
    // Asked again a moment early: the time counts from before the question was sent.
    expect((await scriptCalls()) - before).toBeLessThanOrEqual(5);
    return refusals > 10;
  });
});

it("lets in at the retry time that it told", async () => {
  const { latestMs } = await refused("punctual");

  // A timer may be early by a part of a millisecond.
  await delay(Math.ceil(latestMs - performance.now()) + 1);

  expect(await world.passes({ subject: "punctual" })).toBe(true);
});
