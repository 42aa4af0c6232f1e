import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetBranch } from "../../support/forget-branch.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import {
  balancesOf,
  doneAtProvider,
  euros,
  refusalOf,
  setupWorld,
  stateOf,
} from "./payment-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

/** An order of 10 EUR, and what its coordinator asks for. */
async function setup() {
  const world = await setupWorld(database);
  const id = randomUUID();
  const transaction = `orders/${id}`;
  const participant = world.participant();
  const value = { amount: euros(10n), paymentToken: "tok_visa" };
  const work = { case: "takePayment", value } as const;
  return {
    world,
    id,
    name: `payments/${id}`,
    prepare: () => participant.prepare({ transaction, epoch: 1n, work }),
    commit: () => participant.commit({ transaction, epoch: 1n }),
    rollback: () => participant.rollback({ transaction, epoch: 1n }),
    forgetBranch: () => forgetBranch(world.db, transaction),
    // As a participant that dies before it asks the provider.
    commitBranchOnly: () =>
      world.db.query(`commit prepared 'weft:payment:${transaction}:1'`),
  };
}

test("a payment that is committed again when its branch is forgotten is taken once", async () => {
  const [done, half] = [await setup(), await setup()];
  await done.prepare();
  await done.commit();
  await half.prepare();
  await half.commitBranchOnly();

  for (const each of [done, half]) {
    await each.forgetBranch();
    await each.commit();
    await each.commit();

    expect(await stateOf(each.world, each.name)).toBe("CAPTURED");
    expect(await doneAtProvider(each.world, each.id)).toEqual([
      "authorized",
      "captured",
    ]);
    expect(await balancesOf(each.world, each.id)).toEqual({
      provider_cash: 1_000,
      order_revenue: -1_000,
    });
  }
});

test("a payment that was let go is not committed, though its branch is forgotten", async () => {
  const { world, name, prepare, rollback, forgetBranch, commit } =
    await setup();
  await prepare();
  await rollback();

  await forgetBranch();
  const refusal = await refusalOf(commit());

  expect(refusal.reason).toBe("BRANCH_NOT_PREPARED");
  expect(await stateOf(world, name)).toBe("VOIDED");
});
