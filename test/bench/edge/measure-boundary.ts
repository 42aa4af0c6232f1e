import { Redis } from "ioredis";
import { runScript } from "../../../services/ratelimit/store/counters.ts";
import {
  decodeBatch,
  encodeBatch,
} from "../../../services/ratelimit/store/decision-script.ts";
import { median } from "../median.ts";
import { startBenchRedis } from "./bench-redis.ts";
import { targets } from "./targets.ts";

const LIMIT = 100;
const PERIOD_US = 1_000_000;
const rounds = 5;
/** Before the boundary of two windows, and after. */
const DISTANCE_US = 1_000;

const SPECS = {
  gcra: "g",
  "token-bucket": "t",
  "sliding-window": "s",
  "fixed-window": "f",
} as const;

/** What passes within 2 ms around the boundary of two windows, as a multiple of the limit. */
export async function measureBoundary() {
  await using started = new AsyncDisposableStack();
  const server = await startBenchRedis(started);
  const redis = new Redis(server.url);
  started.defer(() => redis.disconnect());
  const figures: Record<string, number> = {};
  for (const [name, letter] of Object.entries(SPECS)) {
    const multiples: number[] = [];
    for (let round = 0; round < rounds; round += 1)
      multiples.push((await burst(redis, name, letter, round)) / LIMIT);
    figures[name] = Number(median(multiples).toFixed(3));
  }
  console.table(figures);
  return {
    limit: LIMIT,
    rounds,
    figures,
    targets: targets(
      Object.entries(figures)
        .filter(([name]) => name !== "fixed-window")
        .map(([name, value]) => [
          `burst over a boundary by ${name}, in limits`,
          value,
          "<=",
          1,
        ]),
    ),
  };
}

/** At times of the measurement's own, as the script takes them for replays: what a busy machine adds is no part of it. */
async function burst(
  redis: Redis,
  name: string,
  letter: string,
  round: number,
): Promise<number> {
  const spec = `${letter} 0 ${LIMIT} ${PERIOD_US} ${LIMIT} 20`;
  const check = { key: `boundary:${name}:${round}`, spec, amount: "1" };
  const requests = Array.from({ length: 2 * LIMIT }, () => [check]);
  const boundaryUs = Math.ceil((Date.now() * 1_000) / PERIOD_US) * PERIOD_US;
  let passed = 0;
  for (const nowUs of [boundaryUs - DISTANCE_US, boundaryUs + DISTANCE_US]) {
    const { keys, args } = encodeBatch(requests, nowUs);
    const answer = await runScript(redis, keys, args);
    passed += decodeBatch(requests, answer).filter(([one]) => one?.room).length;
  }
  return passed;
}
