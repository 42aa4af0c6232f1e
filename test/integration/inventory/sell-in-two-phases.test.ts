import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetBranch } from "../../support/forget-branch.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  eventsOf,
  refusalOf,
  setupWorld,
  stockOf,
  type World,
} from "./inventory-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
});
afterAll(() => database.close());

const PAST_ITS_END_MS = 16 * 60_000;

/** An order of two of five mugs at 10 EUR, and what its coordinator asks for. */
async function setup() {
  const world = setupWorld(database);
  const sku = await world.addProduct(5);
  const id = randomUUID();
  const transaction = `orders/${id}`;
  const participant = world.participant();
  const prepare = ({ epoch = 1n, quantity = 2, units = 10n } = {}) => {
    const unitPrice = { currencyCode: "EUR", units };
    const value = { lines: [{ sku, quantity, unitPrice }] };
    const work = { case: "sellStock", value } as const;
    return participant.prepare({ transaction, epoch, work });
  };
  return {
    world,
    id,
    prepare,
    commit: (epoch = 1n) => participant.commit({ transaction, epoch }),
    rollback: ({ epoch = 1n, again = false } = {}) =>
      participant.rollback({ transaction, epoch, again }),
    stock: () => stockOf(world, sku),
    forgetBranch: () => forgetBranch(world.db, transaction),
    // As a participant that dies right after the first of its two steps.
    commitBranchOnly: () =>
      world.db.query(`commit prepared 'weft:inventory:${transaction}:1'`),
  };
}

async function typesOf(world: World, id: string) {
  return (await eventsOf(world, id)).map(({ type }) => type);
}

test("a sale is reserved when it is prepared and sold when it is committed, once however often it is told", async () => {
  const { world, id, prepare, commit, stock } = await setup();

  await prepare();
  await prepare();
  const prepared = await stock();
  await commit();
  await commit();
  await prepare();

  expect(prepared).toEqual([3, 2, 0]);
  expect(await stock()).toEqual([3, 0, 2]);
  expect(await typesOf(world, id)).toEqual(["StockReserved", "StockConfirmed"]);
});

test("a sale that is rolled back gives its units back and is refused from then on", async () => {
  const { world, id, prepare, rollback, commit, stock } = await setup();

  await prepare();
  await rollback();
  await rollback();
  const late = await refusalOf(prepare());
  const committed = await refusalOf(commit());

  expect(late.reason).toBe("BRANCH_ROLLED_BACK");
  expect(committed.reason).toBe("BRANCH_NOT_PREPARED");
  expect(await stock()).toEqual([5, 0, 0]);
  expect(await typesOf(world, id)).toEqual(["StockReserved", "StockReleased"]);
});

test("a rollback that comes first refuses the sale, which takes nothing", async () => {
  const { prepare, rollback, stock } = await setup();

  await rollback();
  const late = await refusalOf(prepare());

  expect(late.reason).toBe("BRANCH_ROLLED_BACK");
  expect(await stock()).toEqual([5, 0, 0]);
});

test("a sale that is to be prepared again keeps its units, and takes them once", async () => {
  const { prepare, rollback, commit, stock } = await setup();

  await prepare();
  await rollback({ again: true });
  const kept = await stock();
  await prepare({ epoch: 2n });
  await commit(2n);

  expect(kept).toEqual([3, 2, 0]);
  expect(await stock()).toEqual([3, 0, 2]);
});

test("a coordinator that takes over finds the units of the one before, which can't commit any more", async () => {
  const { prepare, commit, rollback, stock } = await setup();

  await prepare();
  await prepare({ epoch: 2n });
  const replaced = await refusalOf(commit(1n));
  await rollback({ epoch: 2n });

  expect(replaced.reason).toBe("BRANCH_NOT_PREPARED");
  expect(await stock()).toEqual([5, 0, 0]);
});

test("what is prepared never runs out", async () => {
  const { world, prepare, commit, stock } = await setup();

  await prepare();
  world.pass(PAST_ITS_END_MS);
  await world.sweep();
  const inDoubt = await stock();
  await commit();

  expect(inDoubt).toEqual([3, 2, 0]);
  expect(await stock()).toEqual([3, 0, 2]);
});

test("units that are reserved and that nobody prepares again run out", async () => {
  const { world, prepare, rollback, stock } = await setup();

  await prepare();
  await rollback({ again: true });
  world.pass(PAST_ITS_END_MS);
  await world.sweep();
  const late = await refusalOf(prepare({ epoch: 2n }));

  expect(await stock()).toEqual([5, 0, 0]);
  expect(late.reason).toBe("RESERVATION_EXPIRED");
});

test("a participant that died between its branch and the sale goes on when it is told again, past any end", async () => {
  const { world, prepare, commit, commitBranchOnly, stock } = await setup();
  await prepare();
  await commitBranchOnly();

  world.pass(PAST_ITS_END_MS);
  await world.sweep();
  const between = await stock();
  await commit();

  expect(between).toEqual([3, 2, 0]);
  expect(await stock()).toEqual([3, 0, 2]);
});

test("a sale that is committed again when its branch is forgotten is done, or is finished then", async () => {
  const [done, half] = [await setup(), await setup()];
  await done.prepare();
  await done.commit();
  await half.prepare();
  await half.commitBranchOnly();

  await done.forgetBranch();
  await half.forgetBranch();
  await done.commit();
  await half.commit();

  expect(await done.stock()).toEqual([3, 0, 2]);
  expect(await half.stock()).toEqual([3, 0, 2]);
  expect(await typesOf(done.world, done.id)).toEqual([
    "StockReserved",
    "StockConfirmed",
  ]);
});

test("a sale that was given back is not committed, though its branch is forgotten", async () => {
  const { prepare, rollback, commit, forgetBranch, stock } = await setup();
  await prepare();
  await rollback();

  await forgetBranch();
  const refusal = await refusalOf(commit());

  expect(refusal.reason).toBe("BRANCH_NOT_PREPARED");
  expect(await stock()).toEqual([5, 0, 0]);
});

test.each([
  ["there is too little", { quantity: 6 }, "OUT_OF_STOCK"],
  ["the price has changed", { units: 9n }, "PRICE_CHANGED"],
] as const)(
  "a sale is refused where %s, and holds nothing",
  async (_, wish, reason) => {
    const { prepare, stock } = await setup();

    const refusal = await refusalOf(prepare(wish));

    expect(refusal.reason).toBe(reason);
    expect(await stock()).toEqual([5, 0, 0]);
  },
);
