import type { Database } from "../data/database.ts";
import type { Executor } from "../data/executor.ts";

export interface SlotRange {
  readonly firstSlot: number;
  readonly lastSlot: number;
}

/** The right to publish a range of slots. The epoch grows with every change of owner. */
export interface Lease extends SlotRange {
  readonly owner: string;
  readonly epoch: bigint;
}

/** Serialises claims within one database; any constant does. */
const CLAIM_LOCK = 7_306_514_210;

/**
 * Claims the range if nobody holds it or a range that overlaps: instances that
 * split the slots differently, as in a rolling change of the setting, exclude
 * each other too.
 */
export function claimLease(
  db: Database,
  range: SlotRange,
  owner: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  return db.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [CLAIM_LOCK]);
    const { rows } = await tx.query<{ epoch: bigint }>(
      `insert into relay_lease as mine (first_slot, last_slot, owner, epoch, expires_at)
       select $1, $2, $3, 1, clock_timestamp() + $4 * interval '1 millisecond'
       where not exists (
         select from relay_lease
         where first_slot <= $2
           and last_slot >= $1
           and expires_at > clock_timestamp()
       )
       on conflict (first_slot, last_slot) do update
       set owner = excluded.owner,
           epoch = mine.epoch + 1,
           expires_at = excluded.expires_at
       returning epoch`,
      [range.firstSlot, range.lastSlot, owner, ttlMs],
    );
    const [row] = rows;
    return row === undefined
      ? undefined
      : { ...range, owner, epoch: row.epoch };
  });
}

/**
 * Holds the lease for another `ttlMs`. False when it has a newer owner, or ran out: another may own a range that overlaps,
 * so it has to be claimed anew.
 */
export async function renewLease(
  db: Executor,
  lease: Lease,
  ttlMs: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update relay_lease
     set expires_at = clock_timestamp() + $4 * interval '1 millisecond'
     where first_slot = $1 and last_slot = $2 and epoch = $3
       and expires_at > clock_timestamp()`,
    [lease.firstSlot, lease.lastSlot, lease.epoch, ttlMs],
  );
  return rowCount === 1;
}

/** Lets the next owner in at once. */
export async function releaseLease(db: Executor, lease: Lease): Promise<void> {
  await db.query(
    `update relay_lease
     set expires_at = clock_timestamp()
     where first_slot = $1 and last_slot = $2 and epoch = $3`,
    [lease.firstSlot, lease.lastSlot, lease.epoch],
  );
}

/** Splits the slots into `count` ranges of about the same size. */
export function splitSlots(slots: number, count: number): readonly SlotRange[] {
  if (!Number.isInteger(count) || count < 1 || count > slots) {
    throw new RangeError(`ranges must be from 1 to ${slots}, not ${count}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    firstSlot: Math.floor((index * slots) / count),
    lastSlot: Math.floor(((index + 1) * slots) / count) - 1,
  }));
}
