import pg from "pg";
import type { Barrier } from "./branch-barrier.ts";
import type { Executor } from "./executor.ts";

/** A transaction's part at one participant. */
export interface Branch {
  /** The service, such as `inventory`. */
  readonly participant: string;
  /** Names the transaction in all participants, such as `orders/0199...`. */
  readonly transaction: string;
  /** Of the coordinator that asks. */
  readonly epoch: bigint;
}

/** A branch that is prepared and waits for its decision. */
export interface PreparedBranch extends Branch {
  readonly preparedAt: Date;
}

/** Postgres takes 199 bytes; ours has about 70. The epoch is a part of it, so a paused coordinator can't touch its successor's branch. */
export function gidOf({ participant, transaction, epoch }: Branch): string {
  return `weft:${participant}:${transaction}:${epoch}`;
}

/**
 * Puts the branch's row in: false where there is one. Waits for a transaction that is about to, a prepared one included,
 * for `lockTimeoutMs` at most; the limit then holds for every later lock of the transaction.
 */
export async function insertBarrier(
  tx: Executor,
  branch: Branch,
  operation: Barrier["operation"],
  lockTimeoutMs: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    // The rows come out of `patience`, so that the limit is set before the first of them waits.
    `with patience as materialized (
       select set_config('lock_timeout', $5, true)
     )
     insert into branch_barrier (transaction_name, participant, operation, epoch)
     select $1, $2, $3, $4
     from patience
     on conflict (transaction_name, participant) do nothing`,
    [
      branch.transaction,
      branch.participant,
      operation,
      branch.epoch,
      `${lockTimeoutMs}ms`,
    ],
  );
  return rowCount === 1;
}

/** The branch's row, which nobody else changes until the transaction ends. */
export async function lockBarrier(
  tx: Executor,
  branch: Branch,
): Promise<Barrier | undefined> {
  const { rows } = await tx.query<{
    operation: Barrier["operation"];
    epoch: bigint;
  }>(
    `select operation, epoch
     from branch_barrier
     where transaction_name = $1
       and participant = $2
     for update`,
    [branch.transaction, branch.participant],
  );
  return rows[0];
}

/** Changes the branch's row, which is locked. */
export async function updateBarrier(
  tx: Executor,
  branch: Branch,
  operation: Barrier["operation"],
): Promise<void> {
  await tx.query(
    `update branch_barrier
     set operation = $3, epoch = $4
     where transaction_name = $1
       and participant = $2`,
    [branch.transaction, branch.participant, operation, branch.epoch],
  );
}

/** Forgets one small batch of rows older than `retentionMs`. Answers how many. */
export async function pruneBarriers(
  db: Executor,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from branch_barrier
     where (transaction_name, participant) in (
       select transaction_name, participant
       from branch_barrier
       where created_at < clock_timestamp() - $1 * interval '1 millisecond'
       order by created_at
       limit $2
     )`,
    [retentionMs, limit],
  );
  return rowCount;
}

/** The participant's prepared branches, oldest first: of one transaction, or of all. */
export async function listPrepared(
  db: Executor,
  participant: string,
  transaction: string | undefined,
  limit: number,
): Promise<PreparedBranch[]> {
  const prefix = `weft:${participant}:`;
  const { rows } = await db.query<{ gid: string; prepared: Date }>(
    `select gid, prepared
     from pg_prepared_xacts
     where database = current_database()
       and owner = current_user
       and starts_with(gid, $1)
     order by prepared, gid
     limit $2`,
    [transaction === undefined ? prefix : `${prefix}${transaction}:`, limit],
  );
  return rows.map(({ gid, prepared }) => {
    const rest = gid.slice(prefix.length);
    const colon = rest.lastIndexOf(":");
    return {
      participant,
      transaction: rest.slice(0, colon),
      epoch: BigInt(rest.slice(colon + 1)),
      preparedAt: prepared,
    };
  });
}

/** Ends a prepared branch. Neither may run inside a transaction, nor take parameters. */
export async function resolvePrepared(
  db: Executor,
  branch: Branch,
  decision: "commit" | "rollback",
): Promise<void> {
  await db.query(`${decision} prepared ${pg.escapeLiteral(gidOf(branch))}`);
}
