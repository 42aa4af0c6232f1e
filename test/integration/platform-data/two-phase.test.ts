import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  listPrepared,
  resolvePrepared,
  type Branch,
} from "../../../services/platform/data/branch-store.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import type { Transaction } from "../../../services/platform/data/transaction.ts";
import {
  commitBranch,
  prepareBranch,
  rollbackBranch,
} from "../../../services/platform/data/two-phase.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "data" });
  await using db = open("setup");
  await db.query("create table effect (transaction_name text, epoch bigint)");
});

afterAll(() => database.close());

function open(applicationName: string, poolSize = 5): Database {
  return createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName,
    poolSize,
    acquireTimeoutMs: 20_000,
  });
}

async function setup(poolSize?: number) {
  const db = open("two-phase test", poolSize);
  const resolver = open("two-phase test resolver", 2);
  const transaction = `orders/${randomUUID()}`;
  const branch = (epoch: bigint): Branch => ({
    participant: "stock",
    transaction,
    epoch,
  });
  onTestFinished(async () => {
    // A database that has prepared transactions can't be dropped.
    const left = await listPrepared(resolver, "stock", undefined, 100);
    for (const each of left) await resolvePrepared(resolver, each, "rollback");
    await Promise.all([db.close(), resolver.close()]);
  });
  const deps = { db, resolver };
  return {
    deps,
    branch,
    prepare: (epoch: bigint) =>
      prepareBranch(deps, branch(epoch), effect(transaction, epoch)),
    commit: (epoch: bigint) =>
      commitBranch(deps, branch(epoch), async () => false),
    rollback: (epoch: bigint) => rollbackBranch(deps, branch(epoch)),
    inDoubt: async () =>
      (await listPrepared(resolver, "stock", transaction, 10)).map(
        ({ epoch }) => epoch,
      ),
    effects: async () => {
      const { rows } = await db.query<{ epoch: bigint }>(
        "select epoch from effect where transaction_name = $1",
        [transaction],
      );
      return rows.map(({ epoch }) => epoch);
    },
  };
}

function effect(transaction: string, epoch: bigint) {
  return async (tx: Transaction): Promise<void> => {
    await tx.query("insert into effect values ($1, $2)", [transaction, epoch]);
  };
}

test("what is prepared takes effect with the commit, and not before", async () => {
  const { prepare, commit, effects, inDoubt } = await setup();

  await prepare(1n);
  const before = await effects();
  const doubts = await inDoubt();
  await commit(1n);

  expect(before).toEqual([]);
  expect(doubts).toEqual([1n]);
  expect(await effects()).toEqual([1n]);
  expect(await inDoubt()).toEqual([]);
});

test("every call may be repeated, at once or later", async () => {
  const { prepare, commit, effects } = await setup();

  await Promise.all([prepare(1n), prepare(1n), prepare(1n)]);
  await prepare(1n);
  await Promise.all(
    [commit(1n), commit(1n)].map((call) =>
      call.catch((error: unknown) =>
        expect(error).toMatchObject({ reason: "BRANCH_BUSY" }),
      ),
    ),
  );
  await commit(1n);
  await prepare(1n);

  expect(await effects()).toEqual([1n]);
});

test("what is rolled back leaves nothing, and refuses a prepare that comes late", async () => {
  const { prepare, rollback, effects, inDoubt } = await setup();

  await prepare(1n);
  await rollback(1n);
  await rollback(1n);
  const late = prepare(1n);

  await expect(late).rejects.toMatchObject({ reason: "BRANCH_ROLLED_BACK" });
  expect(await effects()).toEqual([]);
  expect(await inDoubt()).toEqual([]);
});

test("a rollback of what was never prepared refuses it from then on", async () => {
  const { prepare, rollback, inDoubt } = await setup();

  await rollback(2n);

  await expect(prepare(2n)).rejects.toMatchObject({
    reason: "BRANCH_ROLLED_BACK",
  });
  await expect(prepare(1n)).rejects.toMatchObject({ reason: "STALE_EPOCH" });
  expect(await inDoubt()).toEqual([]);
});

test("a rollback and a prepare at the same moment never leave a branch behind", async () => {
  const worlds = await Promise.all(Array.from({ length: 10 }, () => setup(2)));

  await Promise.all(
    worlds.map(async ({ prepare, rollback }) => {
      await Promise.all([prepare(1n).catch(() => undefined), rollback(1n)]);
      await rollback(1n);
    }),
  );

  for (const { inDoubt, effects } of worlds) {
    expect(await inDoubt()).toEqual([]);
    expect(await effects()).toEqual([]);
  }
});

test("a coordinator that takes over rolls its predecessor's branch back and prepares its own", async () => {
  const { prepare, commit, effects, inDoubt } = await setup();

  await prepare(1n);
  await prepare(2n);
  const doubts = await inDoubt();
  await commit(2n);

  expect(doubts).toEqual([2n]);
  expect(await effects()).toEqual([2n]);
});

test("a coordinator that was paused can neither roll back nor replace its successor's branch", async () => {
  const { prepare, commit, rollback, effects, inDoubt } = await setup();
  await prepare(1n);
  await prepare(2n);

  await expect(rollback(1n)).rejects.toMatchObject({ reason: "STALE_EPOCH" });
  await expect(prepare(1n)).rejects.toMatchObject({ reason: "STALE_EPOCH" });
  await expect(commit(1n)).rejects.toMatchObject({
    reason: "BRANCH_NOT_PREPARED",
  });
  expect(await inDoubt()).toEqual([2n]);
  await commit(2n);
  await expect(rollback(1n)).rejects.toMatchObject({ reason: "STALE_EPOCH" });
  expect(await effects()).toEqual([2n]);
});

test("a new coordinator may prepare what was rolled back to be tried again", async () => {
  const { prepare, commit, rollback, effects } = await setup();

  await prepare(1n);
  await rollback(1n);
  await prepare(2n);
  await commit(2n);

  expect(await effects()).toEqual([2n]);
});

test("a commit of what is gone counts only where the branch itself says that it was committed", async () => {
  const { prepare, commit, rollback } = await setup();

  const never = commit(1n);
  await expect(never).rejects.toMatchObject({ reason: "BRANCH_NOT_PREPARED" });
  await prepare(1n);
  await rollback(1n);

  await expect(commit(1n)).rejects.toMatchObject({
    reason: "BRANCH_NOT_PREPARED",
  });
});

test("a no leaves nothing behind, and may become a yes", async () => {
  const { deps, branch, prepare, inDoubt } = await setup();
  const no = prepareBranch(deps, branch(1n), () =>
    Promise.reject(new Error("no")),
  );

  await expect(no).rejects.toThrow("no");
  expect(await inDoubt()).toEqual([]);
  await prepare(1n);
  expect(await inDoubt()).toEqual([1n]);
});

test("the second phase has connections of its own when all others wait for what it holds", async () => {
  const { deps, branch, prepare, commit, effects } = await setup(2);
  await prepare(1n);
  const waiting = Array.from({ length: 2 }, () =>
    prepareBranch(deps, branch(1n), () => Promise.resolve()),
  );

  await commit(1n);
  await Promise.all(waiting);

  expect(await effects()).toEqual([1n]);
});
