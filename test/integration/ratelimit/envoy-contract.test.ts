import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  RateLimitResponse_Code as Code,
  type RateLimitResponse,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { askAsEnvoy, type EnvoyDescriptor } from "./envoy-request.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

const ALGORITHMS = ["gcra", "token-bucket", "sliding-window", "fixed-window"];
// Each has a rule that holds for its callers alone; a day has few boundaries for a fixed window to meet.
const RULES = rulesText(
  ALGORITHMS.map(
    (name) =>
      `${name}: { per: [subject], when: { tenant: ${name} }, algorithm: ${name}, limit: 5, period: 1d, when_redis_away: local }`,
  ).join(", "),
  `open: { per: [subject], algorithm: concurrency, limit: 2, lease: 1m, when_redis_away: open }`,
);

let redis: RedisWorld;
let world: LimiterWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startLimiterWorld({ redisUrl: redis.url, rules: RULES });
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

let callers = 0;
const newCaller = (tenant: string) => ({
  rate_class: "orders-read",
  tenant,
  subject: `caller-${(callers += 1)}`,
});

const ask = (...descriptors: EnvoyDescriptor[]) =>
  askAsEnvoy(world, descriptors);

async function passing(
  entries: Record<string, string>,
  limiter: LimiterWorld = world,
) {
  let passed = 0;
  for (let call = 0; call < 8; call += 1) {
    const { overallCode } = await askAsEnvoy(limiter, [{ entries }]);
    if (overallCode === Code.OK) passed += 1;
  }
  return passed;
}

describe.each(ALGORITHMS)("by %s", (algorithm) => {
  it("gives back what negative hits say, and never more than was taken", async () => {
    const entries = newCaller(algorithm);
    const giveBack = (hits: number) => ask({ entries, hits, negative: true });

    await giveBack(4);
    expect(await passing(entries)).toBe(5);
    const { overallCode, statuses } = await giveBack(3);
    expect(overallCode).toBe(Code.OK);
    expect(statuses).toMatchObject([{ limitRemaining: 3 }]);
    expect(await passing(entries)).toBe(3);
    expect((await giveBack(1_000)).statuses).toMatchObject([
      { limitRemaining: 5 },
    ]);
    expect(await passing(entries)).toBe(5);
  });

  it("gives back one where negative hits do not say how many", async () => {
    const entries = newCaller(algorithm);
    await passing(entries);

    await ask({ entries, negative: true });

    expect(await passing(entries)).toBe(1);
  });

  it("lets pass in every process what was given back in one", async () => {
    await using other = await startLimiterWorld({
      redisUrl: redis.url,
      rules: RULES,
    });
    const entries = newCaller(algorithm);
    await passing(entries);
    expect(await passing(entries, other)).toBe(0);

    await ask({ entries, hits: 2, negative: true });

    await eventually(
      "the other process forgets",
      async () => (await passing(entries, other)) > 0,
    );
  });

  it("gives nothing back where another descriptor is refused", async () => {
    const [full, other] = [newCaller(algorithm), newCaller(algorithm)];
    await passing(full);
    await passing(other);

    const { overallCode } = await ask(
      { entries: other, hits: 2, negative: true },
      { entries: full },
    );

    expect(overallCode).toBe(Code.OVER_LIMIT);
    expect(await passing(other)).toBe(0);
  });

  it("refuses more hits than there is ever room for without telling a time, and takes nothing", async () => {
    const entries = newCaller(algorithm);

    const answer = await ask({ entries, hits: 6 });

    expectNeverRoom(answer, `orders-read/${algorithm}`);
    expect(await passing(entries)).toBe(5);
  });

  it("refuses more hits than there is ever room for while Redis is away, too", async () => {
    await using alone = await startLimiterWorld({
      redisUrl: undefined,
      rules: RULES,
    });

    const answer = await askAsEnvoy(alone, [
      { entries: newCaller(algorithm), hits: 6 },
    ]);

    expectNeverRoom(answer, `orders-read/${algorithm}`);
  });
});

it("gives back what this process counted alone while Redis is away", async () => {
  await using alone = await startLimiterWorld({
    redisUrl: undefined,
    rules: RULES,
  });
  const entries = newCaller("gcra");
  expect(await passing(entries, alone)).toBe(5);

  await askAsEnvoy(alone, [{ entries, hits: 2, negative: true }]);

  expect(await passing(entries, alone)).toBe(2);
});

it("neither lends nor gives back a stream's place for negative hits", async () => {
  const { subject } = newCaller("any");
  const stream = (request_id: string) => ({
    entries: { rate_class: "orders-watch", subject, request_id },
  });
  await ask(stream("a"));

  const { overallCode } = await ask({ ...stream("a"), negative: true });
  const { statuses } = await ask({ ...stream("b"), hits: 0 });

  expect(overallCode).toBe(Code.OK);
  expect(statuses).toMatchObject([{ limitRemaining: 1 }]);
});

it("counts by a descriptor's own limit of a week", async () => {
  // RateLimitResponse.RateLimit.Unit.WEEK, which the contract that we generate from does not know yet.
  const WEEK = 7 as RateLimitUnit;
  const descriptor = {
    entries: newCaller("any"),
    limit: { requestsPerUnit: 2, unit: WEEK },
  };

  const answers = [];
  for (let call = 0; call < 3; call += 1) answers.push(await ask(descriptor));

  expect(answers.map(({ overallCode }) => overallCode)).toEqual([
    Code.OK,
    Code.OK,
    Code.OVER_LIMIT,
  ]);
  expect(answers[0]?.statuses).toMatchObject([
    { currentLimit: { requestsPerUnit: 2, unit: WEEK } },
  ]);
});

it.each([0, 1])(
  "refuses %i hits by a descriptor's own limit of nothing",
  async (hits) => {
    const answer = await ask({
      entries: newCaller("any"),
      hits,
      limit: { requestsPerUnit: 0, unit: RateLimitUnit.SECOND },
    });

    expectNeverRoom(answer, "orders-read/descriptor");
  },
);

/** A refusal that names the limit and tells no time at which it would be another. */
function expectNeverRoom(answer: RateLimitResponse, limit: string): void {
  expect(answer.overallCode).toBe(Code.OVER_LIMIT);
  const rest: unknown = JSON.parse(Buffer.from(answer.rawBody).toString());
  expect(rest).toEqual({
    code: 8,
    message: expect.stringMatching(`^the limit ${limit} never has room for`),
    details: [
      expect.objectContaining({
        reason: "RATE_LIMITED",
        metadata: { limit },
      }),
      expect.objectContaining({
        violations: [expect.objectContaining({ subject: limit })],
      }),
    ],
  });
  const names = answer.responseHeadersToAdd.map(({ key }) => key);
  expect(names).toEqual(["ratelimit-policy"]);
  const [status] = answer.statuses;
  expect(status).toMatchObject({ code: Code.OVER_LIMIT });
  expect(status?.durationUntilReset).toBeUndefined();
}
