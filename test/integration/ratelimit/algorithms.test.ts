import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runScript } from "../../../services/ratelimit/store/counters.ts";
import {
  decodeBatch,
  encodeBatch,
  takenBack,
  type CounterCheck,
} from "../../../services/ratelimit/store/decision-script.ts";
import {
  models,
  type Hit,
  type ModelName,
  type Numbers,
} from "./limiter-model.ts";
import { startRedisWorld, type RedisWorld } from "./redis-world.ts";

const START_US = Date.UTC(2026, 10, 24) * 1_000;
const LETTER = {
  gcra: "g",
  "token-bucket": "t",
  "sliding-window": "s",
  "fixed-window": "f",
} as const;

let world: RedisWorld;
let keys = 0;
beforeAll(async () => {
  world = await startRedisWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => void (keys += 1));

function specText(name: ModelName, numbers: Numbers, shadow = false): string {
  const { limit, periodUs, burst, buckets } = numbers;
  const flag = shadow ? 1 : 0;
  return `${LETTER[name]} ${flag} ${limit} ${periodUs} ${burst} ${buckets}`;
}

async function run(requests: CounterCheck[][], nowUs: number) {
  const { keys: names, args } = encodeBatch(requests, nowUs);
  return decodeBatch(requests, await runScript(world.redis, names, args));
}

async function runOne(check: CounterCheck, nowUs: number) {
  const [[result] = []] = await run([[check]], nowUs);
  if (result === undefined) throw new Error("no result");
  return result;
}

/**
 * A hit's share of the period is whole microseconds: the script lets in what is half of one early (its SLACK), the models
 * do not, so with fractions the two would differ now and then.
 */
const numbers: fc.Arbitrary<Numbers> = fc
  .record({
    limit: fc.integer({ min: 1, max: 12 }),
    stepUs: fc.integer({ min: 1_000, max: 1_000_000 }),
    burst: fc.integer({ min: 1, max: 12 }),
    buckets: fc.integer({ min: 2, max: 12 }),
  })
  .map(({ stepUs, ...rest }) => ({ ...rest, periodUs: stepUs * rest.limit }));
/** Pauses in thousandths of the period, so that windows are met at all places. */
const steps = fc.array(
  fc.record({
    pause: fc.integer({ min: 0, max: 700 }),
    hits: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe.each(Object.keys(models) as ModelName[])("%s", (name) => {
  it("decides as its model does", async () => {
    await fc.assert(
      fc.asyncProperty(numbers, steps, async (those, plan) => {
        keys += 1;
        const model = models[name](those);
        let nowUs = START_US;
        for (const { pause, hits } of plan) {
          nowUs += Math.floor((pause * those.periodUs) / 1_000);
          const check = {
            key: `model-${keys}`,
            spec: specText(name, those),
            amount: String(hits),
          };

          const { room } = await runOne(check, nowUs);

          expect(room).toBe(model.take(hits, nowUs));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("decides a batch as it decides its requests one by one", async () => {
    await fc.assert(
      fc.asyncProperty(numbers, steps, async (those, plan) => {
        keys += 1;
        const spec = specText(name, those);
        const batch = plan.map(({ hits }) => [
          { key: `batch-${keys}`, spec, amount: String(hits) },
        ]);

        const together = await run(batch, START_US);
        const apart = [];
        for (const [check] of batch) {
          if (check === undefined) continue;
          const own = { ...check, key: `single-${keys}` };
          apart.push([await runOne(own, START_US)]);
        }

        expect(together).toEqual(apart);
      }),
      { numRuns: 30 },
    );
  });

  it("has room at the retry time that it told, and not a microsecond before", async () => {
    await fc.assert(
      fc.asyncProperty(numbers, steps, async (those, plan) => {
        keys += 1;
        const key = `retry-${keys}`;
        const spec = specText(name, those);
        let nowUs = START_US;
        for (const { pause, hits } of plan) {
          nowUs += Math.floor((pause * those.periodUs) / 1_000);
          const check = { key, spec, amount: String(hits) };
          const { room, retryUs } = await runOne(check, nowUs);
          const most =
            name === "gcra" || name === "token-bucket"
              ? those.burst
              : those.limit;
          // More than ever fits has no retry time.
          if (room || hits > most) continue;

          const before = await runOne(check, nowUs + retryUs - 2);
          // Hits of 0 look only, so ask for room with hits that are given back by a key of their own.
          expect(before.room).toBe(false);
          const after = await runOne(check, nowUs + retryUs);
          expect(after.room).toBe(true);
          nowUs += retryUs;
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives back what is asked for, up to what it has when nothing is taken", async () => {
    const gifts = steps.map((plan) =>
      plan.map((step, at) => ({ ...step, gift: (at * step.hits) % 7 })),
    );
    await fc.assert(
      fc.asyncProperty(numbers, gifts, async (those, plan) => {
        keys += 1;
        const own = { key: `gift-${keys}`, spec: specText(name, those) };
        const bursts = name === "gcra" || name === "token-bucket";
        const most = bursts ? those.burst : those.limit;
        let nowUs = START_US;
        for (const { pause, hits, gift } of plan) {
          nowUs += Math.floor((pause * those.periodUs) / 1_000);
          await runOne({ ...own, amount: String(hits) }, nowUs);
          const look = () => runOne({ ...own, amount: "0" }, nowUs);
          const before = await look();

          const given = await runOne({ ...own, amount: `-${gift}` }, nowUs);

          const remaining = Math.min(most, before.remaining + gift);
          expect(given).toMatchObject({ room: true, remaining });
          expect((await look()).remaining).toBe(remaining);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("has room for what is given back where more was taken than a changed limit allows", async () => {
    const those = { limit: 9, periodUs: 9_000_000, burst: 9, buckets: 20 };
    const key = `shrunk-gift-${keys}`;
    await runOne({ key, spec: specText(name, those), amount: "9" }, START_US);

    const spec = specText(name, { ...those, limit: 3, burst: 1 });
    const given = await runOne({ key, spec, amount: "-1" }, START_US);

    expect(given.room).toBe(true);
  });

  it("leaves no state behind when it is worth nothing", async () => {
    const those = { limit: 5, periodUs: 50_000, burst: 5, buckets: 5 };
    const requests = [
      [{ key: `ttl-${keys}`, spec: specText(name, those), amount: "3" }],
    ];

    const { keys: names, args } = encodeBatch(requests);
    await runScript(world.redis, names, args);

    const ttl = await world.redis.pttl(`ttl-${keys}`);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(62);
  });
});

it.each(["gcra", "token-bucket"] as const)(
  "tells of a hit that rounding lets in by %s that nothing remains, and no less",
  async (name) => {
    // A hit's share is 333.3 us: the next one is let in a third of a microsecond early.
    const those = { limit: 3, periodUs: 1_000, burst: 1, buckets: 20 };
    const check = {
      key: `rounded-${name}-${keys}`,
      spec: specText(name, those),
      amount: "1",
    };
    await runOne(check, START_US);

    const next = await runOne(check, START_US + 333);

    expect(next).toMatchObject({ room: true, remaining: 0 });
  },
);

it.each(Object.keys(models) as ModelName[])(
  "tells by %s that nothing remains where more was taken than a changed limit allows",
  async (name) => {
    const those = { limit: 9, periodUs: 9_000_000, burst: 9, buckets: 20 };
    const key = `shrunk-${name}-${keys}`;
    await runOne({ key, spec: specText(name, those), amount: "9" }, START_US);

    const shrunk = specText(name, { ...those, limit: 3, burst: 3 });
    const looked = await runOne({ key, spec: shrunk, amount: "0" }, START_US);

    expect(looked.remaining).toBe(0);
  },
);

describe("the most that passes around the boundary of two windows", () => {
  const those = { limit: 10, periodUs: 1_000_000, burst: 10, buckets: 20 };

  /** Tries ten times the limit just before a boundary and just after; returns what passed. */
  async function burst(name: ModelName): Promise<number> {
    const spec = specText(name, those);
    let passed = 0;
    for (const offset of [-1_000, 1_000]) {
      for (let hit = 0; hit < 100; hit += 1) {
        const check = { key: `edge-${name}-${keys}`, spec, amount: "1" };
        const { room } = await runOne(check, START_US + 5_000_000 + offset);
        if (room) passed += 1;
      }
    }
    return passed;
  }

  it.each(["gcra", "token-bucket", "sliding-window"] as const)(
    "is the limit by %s",
    async (name) => {
      expect(await burst(name)).toBe(those.limit);
    },
  );

  it("is twice the limit by fixed-window, which is why it is the last choice", async () => {
    expect(await burst("fixed-window")).toBe(2 * those.limit);
  });
});

it("lets no period of any place have more than the limit by sliding-window", async () => {
  await fc.assert(
    fc.asyncProperty(numbers, steps, async (those, plan) => {
      keys += 1;
      const passed: Hit[] = [];
      let nowUs = START_US;
      for (const { pause, hits } of plan) {
        nowUs += Math.floor((pause * those.periodUs) / 3_000);
        const check = {
          key: `any-${keys}`,
          spec: specText("sliding-window", those),
          amount: String(hits),
        };
        if ((await runOne(check, nowUs)).room) passed.push({ hits, nowUs });
      }

      for (const { nowUs: end } of passed) {
        const within = passed.filter(
          ({ nowUs: at }) => at <= end && at > end - those.periodUs,
        );
        const sum = within.reduce((all, { hits }) => all + hits, 0);
        expect(sum).toBeLessThanOrEqual(those.limit);
      }
    }),
    { numRuns: 60 },
  );
});

describe("a request with several checks", () => {
  const wide = { limit: 100, periodUs: 60_000_000, burst: 100, buckets: 20 };
  const narrow = { limit: 1, periodUs: 60_000_000, burst: 1, buckets: 20 };
  const check = (
    name: ModelName,
    of: Numbers,
    key: string,
    shadow = false,
  ) => ({
    key: `${key}-${keys}`,
    spec: specText(name, of, shadow),
    amount: "1",
  });

  it.each(Object.keys(models) as ModelName[])(
    "takes nothing of %s where another check refuses",
    async (name) => {
      const request = [
        check(name, wide, `wide-${name}`),
        check("gcra", narrow, `narrow-${name}`),
      ];

      const [first, ...refused] = await run(
        [request, request, request],
        START_US,
      );
      const [[left] = []] = await run(
        [[{ ...check(name, wide, `wide-${name}`), amount: "0" }]],
        START_US,
      );

      expect(first?.map(({ room }) => room)).toEqual([true, true]);
      for (const results of refused)
        expect(results.map(({ room }) => room)).toEqual([true, false]);
      expect(left?.remaining).toBe(99);
    },
  );

  it("is not refused by a rule in shadow, which counts by itself", async () => {
    const request = [
      check("gcra", wide, "real"),
      check("gcra", narrow, "shadow", true),
    ];

    const results = await run([request, request], START_US);
    const left = await runOne(
      { ...check("gcra", wide, "real"), amount: "0" },
      START_US,
    );

    expect(results[1]?.map(({ room }) => room)).toEqual([true, false]);
    expect(left.remaining).toBe(98);
  });
});

describe("concurrency", () => {
  const spec = "c 0 2 30000000 2 20";
  const lease = (name: string) => ({
    key: `conc-${keys}`,
    spec,
    amount: name,
  });

  it("holds as many leases as the limit, and knows a lease again", async () => {
    const results = await run(
      [[lease("a")], [lease("b")], [lease("c")], [lease("a")]],
      START_US,
    );

    expect(results.map(([one]) => one?.room)).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("has room when a lease is given back", async () => {
    await run([[lease("a")], [lease("b")]], START_US);

    const results = await run(
      [[takenBack(`conc-${keys}`, "a")], [lease("c")], [lease("d")]],
      START_US,
    );

    expect(results.map(([one]) => one?.room)).toEqual([true, true, false]);
  });

  it("has room when a lease runs out, at the time that it told", async () => {
    await run([[lease("a")]], START_US);
    await run([[lease("b")]], START_US + 10_000_000);

    const refused = await runOne(lease("c"), START_US + 20_000_000);
    const later = await runOne(
      lease("c"),
      START_US + 20_000_000 + refused.retryUs,
    );

    expect(refused).toMatchObject({ room: false, retryUs: 10_000_000 });
    expect(later.room).toBe(true);
  });
});
