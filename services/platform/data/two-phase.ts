import {
  branchBusy,
  branchNotPrepared,
  judge,
  refusalOf,
  staleEpoch,
} from "./branch-barrier.ts";
import {
  gidOf,
  insertBarrier,
  listPrepared,
  lockBarrier,
  resolvePrepared,
  updateBarrier,
  type Branch,
} from "./branch-store.ts";
import { hasSqlState } from "./database-errors.ts";
import type { Database } from "./database.ts";
import type { Transaction } from "./transaction.ts";

export interface TwoPhaseDeps {
  readonly db: Database;
  /**
   * A small pool of its own for the second phase: branches that wait for a lock take up the connections of `db`, and
   * what they wait for is released by the second phase of another one.
   */
  readonly resolver: Database;
}

/** How long a branch waits for a lock. What holds it may be in doubt, and then waiting longer only spreads the trouble. */
const PREPARE_LOCK_MS = 2_000;
const ROLLBACK_LOCK_MS = 250;
/** Each time somebody prepared the branch just then. */
const ROLLBACK_ATTEMPTS = 8;
/** A transaction is prepared under one epoch at a time; more is room. */
const MAX_BRANCHES = 100;

/**
 * The first phase: runs `work` and prepares it. When this resolves the work is durable and the vote is yes, which binds
 * this participant, through crashes, until {@link commitBranch} or {@link rollbackBranch}. `work` must not NOTIFY nor make
 * temporary tables: Postgres can't prepare them. A branch that was prepared under a lower epoch is rolled back first.
 *
 * @throws DomainError BRANCH_ROLLED_BACK, STALE_EPOCH, BRANCH_BUSY, or what `work` threw: then nothing is held.
 */
export async function prepareBranch(
  deps: TwoPhaseDeps,
  branch: Branch,
  work: (tx: Transaction) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (await settlePredecessors(deps, branch)) return;
  try {
    await deps.db.transaction(
      async (tx) => {
        await enter(tx, branch);
        await work(tx);
      },
      { prepareAs: gidOf(branch), ...(signal && { signal }) },
    );
  } catch (error) {
    if (error instanceof AlreadyCommitted) return;
    if (!isBusy(error)) throw error;
    // The lock may be that of an earlier delivery of the same request.
    if (await isPrepared(deps, branch)) return;
    throw branchBusy(branch.transaction, error);
  }
}

/**
 * Rolls back the branches of replaced coordinators, for work that has to touch the same rows before it is prepared:
 * {@link prepareBranch} does so by itself. True where this very branch is prepared already.
 *
 * @throws DomainError STALE_EPOCH.
 */
export async function settlePredecessors(
  deps: TwoPhaseDeps,
  branch: Branch,
): Promise<boolean> {
  // A first coordinator has none, and this is one look less for nearly every transaction.
  return branch.epoch > 1n && isPrepared(deps, branch);
}

/**
 * The second phase of a transaction that its coordinator has decided to commit. Again it does nothing, however much later:
 * where the branch's mark is forgotten, `isCommitted` has to tell by the work that the branch left.
 *
 * @throws DomainError BRANCH_NOT_PREPARED.
 */
export async function commitBranch(
  deps: TwoPhaseDeps,
  branch: Branch,
  isCommitted: () => Promise<boolean>,
): Promise<void> {
  try {
    await resolvePrepared(deps.resolver, branch, "commit");
  } catch (error) {
    if (isBeingResolved(error)) throw branchBusy(branch.transaction, error);
    if (!isGone(error)) throw error;
    // That it is gone means nothing: only its own row, which it commits, or its work tells that it was committed.
    const barrier = await lockBarrier(deps.resolver, branch);
    if (barrier === undefined && (await isCommitted())) return;
    if (barrier?.operation !== "prepare") {
      throw branchNotPrepared(branch.transaction);
    }
  }
}

/**
 * Rolls back what is prepared of the transaction under this epoch and lower ones, and leaves a mark that refuses them from
 * then on: a Prepare that is still under way can't become a branch that nobody knows of.
 *
 * @throws DomainError BRANCH_COMMITTED, STALE_EPOCH, BRANCH_BUSY.
 */
export async function rollbackBranch(
  deps: TwoPhaseDeps,
  branch: Branch,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await rollBackPrepared(deps, branch, branch.epoch);
    try {
      return await deps.resolver.transaction((tx) => bar(tx, branch));
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (attempt === ROLLBACK_ATTEMPTS) {
        throw branchBusy(branch.transaction, error);
      }
    }
  }
}

async function enter(tx: Transaction, branch: Branch): Promise<void> {
  if (await insertBarrier(tx, branch, "prepare", PREPARE_LOCK_MS)) return;
  const barrier = await lockBarrier(tx, branch);
  const verdict = judge(barrier, {
    operation: "prepare",
    epoch: branch.epoch,
  });
  const refusal = refusalOf(verdict, branch.transaction, barrier);
  if (refusal) throw refusal;
  if (verdict === "repeated") throw new AlreadyCommitted();
  await updateBarrier(tx, branch, "prepare");
}

async function bar(tx: Transaction, branch: Branch): Promise<void> {
  if (await insertBarrier(tx, branch, "rollback", ROLLBACK_LOCK_MS)) return;
  const barrier = await lockBarrier(tx, branch);
  const verdict = judge(barrier, {
    operation: "rollback",
    epoch: branch.epoch,
  });
  const refusal = refusalOf(verdict, branch.transaction, barrier);
  if (refusal) throw refusal;
  if (verdict === "enter") await updateBarrier(tx, branch, "rollback");
}

async function isPrepared(
  deps: TwoPhaseDeps,
  branch: Branch,
): Promise<boolean> {
  const epochs = await rollBackPrepared(deps, branch, branch.epoch - 1n);
  return epochs.includes(branch.epoch);
}

/**
 * Rolls back what is prepared of the transaction up to an epoch. Answers the epochs that were prepared.
 *
 * @throws DomainError STALE_EPOCH where one is prepared under a higher epoch than the branch's.
 */
async function rollBackPrepared(
  deps: TwoPhaseDeps,
  branch: Branch,
  upTo: bigint,
): Promise<bigint[]> {
  const { participant, transaction } = branch;
  const prepared = await listPrepared(
    deps.resolver,
    participant,
    transaction,
    MAX_BRANCHES,
  );
  const epochs = prepared.map(({ epoch }) => epoch);
  const newer = epochs.find((epoch) => epoch > branch.epoch);
  if (newer !== undefined) throw staleEpoch(transaction, newer);
  for (const each of prepared) {
    if (each.epoch > upTo) continue;
    try {
      await resolvePrepared(deps.resolver, each, "rollback");
    } catch (error) {
      // Somebody else was faster, or is just at it.
      if (!isGone(error) && !isBeingResolved(error)) throw error;
    }
  }
  return epochs;
}

/** The transaction that was to be prepared must end without effect: its work is done. */
class AlreadyCommitted extends Error {
  override readonly name = "AlreadyCommitted";
}

/** A lock was not to be had in time (55P03), or the very same branch is prepared (42710). */
function isBusy(error: unknown): boolean {
  return hasSqlState(error, "55P03") || hasSqlState(error, "42710");
}

/** "prepared transaction with identifier ... does not exist". */
function isGone(error: unknown): boolean {
  return hasSqlState(error, "42704");
}

/** "prepared transaction with identifier ... is busy". */
function isBeingResolved(error: unknown): boolean {
  return hasSqlState(error, "55000");
}
