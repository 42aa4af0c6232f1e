import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { createDatabase } from "../../../services/platform/data/database.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import { startDatabaseClock } from "../../../services/platform/data/database-clock.ts";
import { setupDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

async function setup() {
  const stack = new AsyncDisposableStack();
  const { url } = stack.use(await setupDatabase({ service: "clock" }));
  const db = stack.use(
    createDatabase({ url, applicationName: "clock", logger: silentLogger }),
  );
  const stop = new AbortController();
  const clock = await startDatabaseClock(
    { db, logger: silentLogger },
    stop.signal,
  );
  stack.defer(async () => {
    stop.abort();
    await clock.done;
  });
  return { db, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("tells the database's time though the wall clock jumps", async () => {
  await using world = await setup();
  const jumped = vi
    .spyOn(Date, "now")
    .mockReturnValue(new Date("2001-01-01T00:00:00Z").getTime());

  const told = world.clock.now();
  const { rows } = await world.db.query<{ seconds: number }>(
    "select extract(epoch from clock_timestamp() - $1::timestamptz)::float8 as seconds",
    [told],
  );
  jumped.mockRestore();

  expect(Math.abs(rows[0]?.seconds ?? Infinity)).toBeLessThan(10);
});

test("goes on", async () => {
  await using world = await setup();

  const before = world.clock.now();
  await vi.waitUntil(() => world.clock.now() > before);
});

test("is right though the first answer came late", async () => {
  await using world = await setup();
  const { db } = world;
  let asked = 0;
  const lateOnce: Executor = {
    async query<Row extends object>(...of: Parameters<Executor["query"]>) {
      const result = await db.query<Row>(...of);
      asked += 1;
      if (asked === 1) await delay(2_000);
      return result;
    },
  };
  const stop = new AbortController();
  const clock = await startDatabaseClock(
    { db: lateOnce, logger: silentLogger },
    stop.signal,
  );

  const before = await timeOf(db);
  const told = clock.now().getTime();
  const after = await timeOf(db);
  stop.abort();
  await clock.done;

  // A clock that took the first answer's middle would be a second ahead.
  expect(told).toBeGreaterThan(before - 300);
  expect(told).toBeLessThan(after + 300);
});

async function timeOf(db: Executor): Promise<number> {
  const { rows } = await db.query<{ now: Date }>(
    "select clock_timestamp() as now",
  );
  return rows[0]?.now.getTime() ?? NaN;
}
