import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  listPrepared,
  resolvePrepared,
  type Branch,
} from "../../../services/platform/data/branch-store.ts";
import { createDatabase } from "../../../services/platform/data/database.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import {
  commitBranch,
  prepareBranch,
} from "../../../services/platform/data/two-phase.ts";
import { watchInDoubt } from "../../../services/platform/data/watch-in-doubt.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { readMetrics } from "../../support/read-metrics.ts";
import { silentLogger } from "../../support/silent-logger.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "data" });
});

afterAll(() => database.close());

/** A participant that is watched, over a database that can go away. */
async function setup() {
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "watch in doubt test",
    acquireTimeoutMs: 20_000,
    poolSize: 3,
  });
  const stopping = new AbortController();
  let isAway = false;
  let looks = 0;
  const flaky: Executor = {
    ...db,
    query(...args: Parameters<typeof db.query>) {
      looks += 1;
      if (isAway) return Promise.reject(new Error("away"));
      return db.query(...args);
    },
  };
  const gauge = readMetrics();
  const watch = () =>
    watchInDoubt(
      {
        db: flaky,
        logger: silentLogger,
        participant: "stock",
        now: () => new Date(Date.now() + 60_000),
      },
      stopping.signal,
    );
  let watching = Promise.resolve();
  onTestFinished(async () => {
    stopping.abort();
    await watching;
    const left = await listPrepared(db, "stock", undefined, 100);
    for (const each of left) await resolvePrepared(db, each, "rollback");
    await db.close();
  });
  const branch: Branch = {
    participant: "stock",
    transaction: `orders/${randomUUID()}`,
    epoch: 1n,
  };
  const deps = { db, resolver: db };
  return {
    start: () => void (watching = watch()),
    goAway: () => void (isAway = true),
    looks: () => looks,
    prepare: () => prepareBranch(deps, branch, async () => undefined),
    commit: () => commitBranch(deps, branch, async () => false),
    age: async () => (await gauge("weft.transaction.in_doubt.oldest_age"))[0],
  };
}

test("the age of a prepared branch is told by the participant itself, until it is resolved", async () => {
  const { start, prepare, commit, age } = await setup();
  await prepare();
  start();

  await eventually("it is told", async () => (await age()) !== undefined);
  const waiting = await age();
  await commit();
  await eventually("its end is told", async () => (await age()) === 0);

  expect(waiting).toBeGreaterThanOrEqual(60);
});

test("a database that does not answer is no all-clear", async () => {
  const { start, prepare, goAway, looks, age } = await setup();
  await prepare();
  start();
  await eventually("it is told", async () => (await age()) !== undefined);

  goAway();
  const before = looks();
  await eventually("it is looked at again", () => looks() > before);

  expect(await age()).toBeGreaterThanOrEqual(60);
});

test("nothing is told before the first look", async () => {
  const { start, goAway, looks, age } = await setup();
  goAway();
  start();

  await eventually("it is looked at", () => looks() > 0);

  expect(await age()).toBeUndefined();
});
