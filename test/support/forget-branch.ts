import { pruneBarriers } from "../../services/platform/data/branch-store.ts";
import type { Executor } from "../../services/platform/data/executor.ts";

const WEEK_MS = 7 * 86_400_000;

/** Lets a transaction's branches grow older than they are kept, and has them pruned. */
export async function forgetBranch(
  db: Executor,
  transaction: string,
): Promise<void> {
  await db.query(
    `update branch_barrier
     set created_at = created_at - interval '8 days'
     where transaction_name = $1`,
    [transaction],
  );
  await pruneBarriers(db, WEEK_MS, 1_000);
}
