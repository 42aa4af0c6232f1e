import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startRedisWorld, type RedisWorld } from "../ratelimit/redis-world.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { envoyStat } from "./envoy-admin.ts";
import { limitRules } from "./limit-rules.ts";
import { openSession } from "./open-session.ts";

const RULES = limitRules({
  "orders-watch":
    "{ per: [subject], algorithm: concurrency, limit: 1000, lease: 65m, when_redis_away: open }",
});

let redis: RedisWorld;
let world: EdgeWorld;
beforeAll(async () => {
  redis = await startRedisWorld();
  world = await startEdgeWorld({
    rateLimits: { rules: RULES, redisUrl: redis.url },
  });
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** Streams that hold a place. */
async function placesHeld(): Promise<number> {
  const all = 10_000;
  const [, keys] = await redis.redis.scan(0, "COUNT", all, "TYPE", "zset");
  const held = await Promise.all(keys.map((key) => redis.redis.zcard(key)));
  return held.reduce((sum, one) => sum + one, 0);
}

async function openWatches(edge: EdgeWorld) {
  const session = await openSession(edge);
  return {
    /** Asks for a stream, and waits for nothing. */
    watch() {
      const stream = session.request({
        ":method": "POST",
        ":path": "/weft.order.v1.OrderService/WatchOrders",
        "content-type": "application/grpc",
        te: "trailers",
        authorization: `Bearer ${edge.token}`,
      });
      stream.on("error", () => undefined);
      stream.resume();
      // An empty message.
      stream.end(Buffer.alloc(5));
      return stream;
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

const CANCEL = 8;

it("gives back the places of streams that are cancelled as soon as they are asked for", async () => {
  using watches = await openWatches(world);
  const asked = () =>
    envoyStat(world, "cluster.ratelimit-grpc.upstream_rq_total");
  const before = await asked();

  for (let turn = 0; turn < 90; turn += 1) {
    const stream = watches.watch();
    // While the edge asks about it, mostly; sooner or later than that now and then.
    await delay(turn % 9);
    stream.close(CANCEL);
    await once(stream, "close");
  }

  expect(await asked()).toBeGreaterThan(before + 90);
  await eventually("nobody asks", async () => {
    const active = "cluster.ratelimit-grpc.upstream_rq_active";
    return (await envoyStat(world, active)) === 0;
  });
  await eventually("no place is held", async () => (await placesHeld()) === 0);
});

it.each(["stop", "kill"] as const)(
  "gives back the places of streams that end while the rate-limit service restarts, after a %s",
  async (end) => {
    const { limiter } = world;
    if (limiter === undefined) throw new Error("there is no limiter");
    using watches = await openWatches(world);
    const streams = Array.from({ length: 40 }, () => watches.watch());
    await eventually("all are open", async () => (await placesHeld()) === 40);

    // Half of them end while it does, and half when it is gone.
    const ended = limiter[end]();
    for (const stream of streams.slice(0, 20)) stream.close(CANCEL);
    await ended;
    for (const stream of streams.slice(20)) stream.close(CANCEL);
    await eventually("all are closed", () =>
      streams.every(({ closed }) => closed),
    );
    await limiter.start();

    await eventually(
      "no place is held",
      async () => (await placesHeld()) === 0,
    );
  },
);
