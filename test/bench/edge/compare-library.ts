import { once } from "node:events";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import type { Rule } from "../../../services/ratelimit/domain/rule.ts";
import { specOf } from "../../../services/ratelimit/domain/spec.ts";
import { openCounterStore } from "../../../services/ratelimit/store/counter-store.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { median, percentile } from "../median.ts";
import { startBenchRedis } from "./bench-redis.ts";
import { targets } from "./targets.ts";

const inFlight = 64;
const rounds = 9;
const roundMs = 1_500;
const KEYS = 10_000;
const PERIOD_S = 60;
const LIMIT = 1_000_000;

/** Decides for one key. */
type Decide = (index: number) => Promise<unknown>;

/** Our store against rate-limiter-flexible: the same Redis, a connection each, one window of a minute for each of 10,000 keys. */
export async function compareLibrary() {
  await using started = new AsyncDisposableStack();
  const redis = await startBenchRedis(started);
  const contenders = {
    "weft, fixed-window": await ours(started, redis.url, "fixed-window"),
    "weft, gcra": await ours(started, redis.url, "gcra"),
    "rate-limiter-flexible": await theirs(started, redis.url),
  };
  const measured = new Map<string, { rate: number; p99Ms: number }[]>();
  for (const decide of Object.values(contenders)) await run(decide, roundMs);
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, decide] of Object.entries(contenders)) {
      const result = await run(decide, roundMs);
      measured.set(name, [...(measured.get(name) ?? []), result]);
    }
  }
  return report(measured);
}

async function ours(
  started: AsyncDisposableStack,
  url: string,
  algorithm: Rule["algorithm"],
): Promise<Decide> {
  const store = openCounterStore({
    logger: silentLogger,
    url,
    timeoutMs: 1_000,
  });
  started.defer(() => store.close());
  await store.connected(5_000);
  const limit = { limit: LIMIT, periodUs: PERIOD_S * 1e6, burst: LIMIT };
  const rule: Rule = {
    name: "bench/rule",
    per: [],
    when: [],
    algorithm,
    limit,
    limitByPlan: new Map(),
    buckets: 1,
    redisAway: "open",
    shadow: false,
  };
  const spec = specOf(rule, limit);
  return async (index) => {
    const key = `bench:${algorithm}:${index}`;
    const [result] = await store.counters.decide([{ key, spec, amount: "1" }]);
    if (!result?.room) throw new Error("refused");
  };
}

async function theirs(
  started: AsyncDisposableStack,
  url: string,
): Promise<Decide> {
  const redis = new Redis(url, { enableOfflineQueue: false });
  started.defer(() => redis.disconnect());
  await once(redis, "ready");
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    points: LIMIT,
    duration: PERIOD_S,
    keyPrefix: "bench",
  });
  return (index) => limiter.consume(String(index));
}

async function run(decide: Decide, ms: number) {
  const latencies: number[] = [];
  const startedAt = performance.now();
  let next = 0;
  const worker = async () => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt >= startedAt + ms) return;
      next = (next + 1) % KEYS;
      await decide(next);
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    rate: latencies.length / seconds,
    p99Ms: percentile(latencies, 0.99),
  };
}

function report(
  measured: ReadonlyMap<string, readonly { rate: number; p99Ms: number }[]>,
) {
  const of = (name: string) => measured.get(name) ?? [];
  const medians = Object.fromEntries(
    [...measured].map(([name, results]) => [
      name,
      {
        decisionsPerSecond: Math.round(median(results.map(({ rate }) => rate))),
        p99Ms: Number(median(results.map(({ p99Ms }) => p99Ms)).toFixed(2)),
      },
    ]),
  );
  console.table(medians);
  const ratio = (name: string) =>
    median(
      of(name).map(
        ({ rate }, round) =>
          rate / (of("rate-limiter-flexible")[round]?.rate ?? NaN),
      ),
    );
  return {
    inFlight,
    roundMs,
    rounds,
    medians,
    targets: targets([
      [
        "fixed-window decisions/s against rate-limiter-flexible",
        ratio("weft, fixed-window"),
        ">=",
        1.2,
      ],
      [
        "gcra decisions/s against rate-limiter-flexible",
        ratio("weft, gcra"),
        ">=",
        1.2,
      ],
    ]),
  };
}
