import type { Executor } from "../../platform/data/executor.ts";

/**
 * Takes the reconciliation for a while. Undefined where another process has it; else how far the report is compared, `start`
 * if nothing ever was.
 */
export async function claimReconciliation(
  db: Executor,
  lease: { readonly now: Date; readonly until: Date; readonly start: Date },
): Promise<Date | undefined> {
  const { rows } = await db.query<{ compared_to: Date }>(
    `update reconciliation_progress
     set leased_until = $2,
         compared_to = coalesce(compared_to, $3)
     where leased_until <= $1
     returning compared_to`,
    [lease.now, lease.until, lease.start],
  );
  return rows[0]?.compared_to;
}

/** Notes how far the report is compared, and lets the next process in. */
export async function saveProgress(
  db: Executor,
  comparedTo: Date,
  leasedUntil: Date,
): Promise<void> {
  await db.query(
    `update reconciliation_progress
     set compared_to = greatest(compared_to, $1),
         leased_until = $2`,
    [comparedTo, leasedUntil],
  );
}

/** How far the report is compared, by whichever process; undefined if nothing ever was. */
export async function findProgress(db: Executor): Promise<Date | undefined> {
  const { rows } = await db.query<{ compared_to: Date | null }>(
    `select compared_to
     from reconciliation_progress`,
  );
  return rows[0]?.compared_to ?? undefined;
}
