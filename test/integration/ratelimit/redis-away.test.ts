import { RateLimitResponse_Code as Code } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import {
  rulesText,
  startLimiterWorld,
  type LimiterWorld,
} from "./limiter-world.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

let redis: RedisWorld;
const worlds: LimiterWorld[] = [];
let names = 0;

beforeAll(async () => {
  redis = await startRedisWorld();
}, 60_000);
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** A rule for each mode, which tenants of those names meet. */
const RULES = rulesText(
  `open: { per: [subject], when: { tenant: open }, algorithm: sliding-window, limit: 3, period: 1h, when_redis_away: open },
   closed: { per: [subject], when: { tenant: closed }, algorithm: sliding-window, limit: 3, period: 1h, when_redis_away: closed },
   local: { per: [subject], when: { tenant: local }, algorithm: sliding-window, limit: 4, period: 1h, when_redis_away: local }`,
  "open: { per: [subject], algorithm: concurrency, limit: 1, lease: 1h, when_redis_away: open }",
);

async function setup(
  options: {
    env?: Record<string, string>;
    redisUrl?: string | undefined;
  } = {},
) {
  const world = await startLimiterWorld({
    redisUrl: "redisUrl" in options ? options.redisUrl : redis.url,
    rules: RULES,
    ...(options.env ? { env: options.env } : {}),
  });
  worlds.push(world);
  names += 1;
  const subject = `subject-${names}`;
  const passing = async (mode: string, count = 10) => {
    let passed = 0;
    for (let call = 0; call < count; call += 1)
      if (await world.passes({ tenant: mode, subject })) passed += 1;
    return passed;
  };
  /** Waits until Redis counts: of a closed rule nobody passes without it. */
  const counting = () =>
    eventually("decisions are counted", () => {
      names += 1;
      return world.passes({ tenant: "closed", subject: `subject-${names}` });
    });
  return { world, passing, counting, subject };
}

it("answers by each rule's own mode while Redis is stopped, and by counting when it is back", async () => {
  const { passing } = await setup({ env: { RATELIMIT_INSTANCES: "2" } });
  expect(await passing("open")).toBe(3);

  await redis.stop();
  const open = await passing("open", 5);
  const closed = await passing("closed");
  const local = await passing("local");
  await redis.start();

  // The known refusal of before holds: its time has not come.
  expect(open).toBe(0);
  expect(closed).toBe(0);
  // The half of the limit that falls to one of two processes.
  expect(local).toBe(2);
  await eventually(
    "closed rules count again",
    async () => (await passing("closed", 1)) === 1,
  );
  expect(await passing("closed")).toBe(2);
});

it("lets an open rule pass while Redis is stopped", async () => {
  const { passing } = await setup();

  await redis.stop();
  const open = await passing("open");
  await redis.start();

  expect(open).toBe(10);
});

it("tells a client that a closed rule refuses to come back in a second, as RESOURCE_EXHAUSTED", async () => {
  const { world } = await setup({ redisUrl: undefined });

  const answer = await world.ask([
    { rate_class: "orders-read", tenant: "closed" },
  ]);

  expect(answer.overallCode).toBe(Code.OVER_LIMIT);
  const body: unknown = JSON.parse(Buffer.from(answer.rawBody).toString());
  expect(body).toMatchObject({
    code: 8,
    details: [{}, { retryDelay: "1s" }, {}],
  });
  expect(answer.responseHeadersToAdd).toContainEqual(
    expect.objectContaining({ key: "retry-after", value: "1" }),
  );
});

it("waits once for a Redis that stands still, and asks it again when it goes on", async () => {
  const { passing, counting } = await setup();
  await counting();

  process.kill(redis.pid(), "SIGSTOP");
  // That each waited for a second would outlast the test.
  const passed = await passing("open", 200);
  process.kill(redis.pid(), "SIGCONT");

  expect(passed).toBe(200);
  await counting();
});

it("counts again on another connection, when the one it has goes silent and never ends", async () => {
  await using network = await startTcpProxy(Number(new URL(redis.url).port));
  const redisUrl = `redis://127.0.0.1:${network.port}`;
  const { passing, counting } = await setup({ redisUrl });
  await counting();

  network.silence();

  expect(await passing("closed", 1)).toBe(0);
  await counting();
});

it("counts from nothing after Redis was flushed, its scripts too", async () => {
  const { passing } = await setup();
  expect(await passing("local")).toBe(4);

  await redis.redis.flushall();
  await redis.redis.script("FLUSH");

  // A refusal that was known before holds until its time; another subject counts anew.
  const { passing: other } = await setup();
  expect(await other("local")).toBe(4);
});

interface Absence {
  readonly away: string;
  readonly leave: () => unknown;
  readonly comeBack: () => unknown;
}

it.each<Absence>([
  {
    away: "stands still",
    leave: () => process.kill(redis.pid(), "SIGSTOP"),
    comeBack: () => process.kill(redis.pid(), "SIGCONT"),
  },
  {
    away: "can't write",
    leave: () => redis.redis.replicaof("127.0.0.1", "1"),
    comeBack: () => redis.redis.replicaof("NO", "ONE"),
  },
])(
  "gives a stream's place back that ended while Redis $away",
  async ({ leave, comeBack }) => {
    const { world, counting, subject } = await setup();
    const stream = (request_id: string) => ({
      rate_class: "orders-watch",
      subject,
      request_id,
    });
    const opens = async (id: string) =>
      (await world.ask([stream(id)])).overallCode === Code.OK;
    await counting();
    expect([await opens("a"), await opens("b")]).toEqual([true, false]);

    await leave();
    // One question finds out that Redis is away.
    await world.passes({ tenant: "open", subject });
    await world.ask([{ ...stream("a"), release: "stream" }]);
    await comeBack();

    await counting();
    await eventually("the place is free", () => opens("c"));
    expect(await opens("d")).toBe(false);
  },
);
