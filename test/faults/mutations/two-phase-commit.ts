import type { Mutation } from "../mutation.ts";

/** Of branches, decisions and coordinators that were replaced. */
export const TWO_PHASE_COMMIT: readonly Mutation[] = [
  {
    hole: "a coordinator that was replaced still stores its decision",
    file: "services/order/store/update-together.ts",
    find: "orders.version = next.version_before and orders.epoch = next.epoch\n",
    replace: "orders.version = next.version_before\n",
    caughtBy: { tests: ["test/integration/order/epochs.test.ts"] },
  },
  {
    hole: "branches are told to commit what no log has",
    file: "services/order/store/update-together.ts",
    find: "       where decides\n",
    replace: "       where decides and false\n",
    caughtBy: { tests: ["test/integration/order/epochs.test.ts"] },
  },
  {
    hole: "a prepare that comes after its rollback becomes an orphan that holds locks",
    file: "services/platform/data/two-phase.ts",
    find: 'if (await insertBarrier(tx, branch, "rollback", ROLLBACK_LOCK_MS)) return;',
    replace: "if (branch.epoch > 0n) return;",
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
  {
    hole: "a commit of a branch that is gone counts as done",
    file: "services/platform/data/two-phase.ts",
    find: 'if (barrier?.operation !== "prepare") {',
    replace: 'if (barrier?.operation === "rollback" && branch.epoch < 0n) {',
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
  {
    hole: "a branch does not know its coordinator's successor from itself",
    file: "services/platform/data/branch-barrier.ts",
    find: '  if (epoch < barrier.epoch) return "stale";\n  if (operation',
    replace: "  if (operation",
    caughtBy: { tests: ["test/unit/platform-data/branch-barrier.test.ts"] },
  },
  {
    hole: "a participant that does not answer counts as one that agrees",
    file: "services/order/domain/two-phase-commit.ts",
    find: 'return silent ?? { kind: "prepared", total, unitPrices };',
    replace:
      'return silent && votes.length > 9 ? silent : { kind: "prepared", total, unitPrices };',
    caughtBy: { tests: ["test/unit/order/two-phase-commit.test.ts"] },
  },
  {
    hole: "a coordinator that takes over goes on under the epoch of the one that it replaces",
    file: "services/order/store/due-orders.ts",
    find: "epoch = epoch + (coordination = 'two_phase_commit' and state = 'placed')::int",
    replace: "epoch = epoch",
    caughtBy: { tests: ["test/integration/order/epochs.test.ts"] },
  },
  {
    hole: "a participant lets a coordinator go on that was replaced while it slept",
    file: "services/platform/data/two-phase.ts",
    find: "  if (newer !== undefined) throw staleEpoch(transaction, newer);",
    replace: "  if (newer === -1n) throw staleEpoch(transaction, newer);",
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
  {
    hole: "a branch of another epoch than the decided one is committed",
    file: "services/order/domain/two-phase-commit.ts",
    find: 'return decision.epoch === branch.epoch ? "commit" : "leave";',
    replace: 'return decision.epoch > 0n ? "commit" : "leave";',
    caughtBy: { tests: ["test/unit/order/two-phase-commit.test.ts"] },
  },
  {
    hole: "what is in doubt is swept by nobody",
    file: "services/order/app/sweep-in-doubt.ts",
    find: "if (branch.preparedAt <= youngest) await",
    replace: "if (+branch.preparedAt === 1) await",
    caughtBy: {
      tests: ["test/integration/coordination/two-phase-commit.test.ts"],
    },
  },
  {
    hole: "a commit that comes again is refused",
    file: "services/platform/data/two-phase.ts",
    find: '    if (barrier?.operation !== "prepare") {\n      throw',
    replace: "    if (barrier) {\n      throw",
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
];
