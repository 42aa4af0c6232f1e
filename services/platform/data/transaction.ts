import type pg from "pg";
import type { Logger } from "../runtime/logger.ts";
import { cancelQuery } from "./cancel-query.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import {
  isSerializationFailure,
  transactionOver,
  commitUnknown,
  isConnectionLost,
} from "./database-errors.ts";
import type { Executor, Rows } from "./executor.ts";
import { fullJitter, sleep } from "./backoff.ts";
import { runQuery } from "./run-query.ts";
import { untilAborted } from "./until-aborted.ts";

/** An open transaction. It is over when the function it was given to settles. */
export interface Transaction extends Executor {
  /**
   * Runs `callback` after the commit is durable, never after a rollback, and
   * only in this process: a hint such as waking the relay, not a guarantee.
   */
  onCommit(callback: () => void): void;
}

export interface TransactionOptions {
  readonly signal?: AbortSignal;
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
  readonly readOnly?: boolean;
  /**
   * Ends with `prepare transaction '<id>'` instead of a commit: the first phase
   * of two-phase commit. `onCommit` callbacks do not run then.
   */
  readonly prepareAs?: string;
}

export interface TransactionDeps {
  readonly pool: ConnectionPool;
  readonly logger: Logger;
  readonly statementTimeoutMs: number;
  readonly idleInTransactionTimeoutMs: number;
}

/** Conflicts of hot rows settle within a few tries; more would hide a design fault. */
const MAX_ATTEMPTS = 6;
const RETRY_BASE_MS = 5;
const RETRY_CAP_MS = 250;

/** Runs `fn` in a transaction, again from the start when Postgres asks for that (40001, 40P01). */
export async function runTransaction<T>(
  deps: TransactionDeps,
  fn: (tx: Transaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(deps, fn, options);
    } catch (error) {
      if (!isSerializationFailure(error) || attempt >= MAX_ATTEMPTS)
        throw error;
      deps.logger.debug({ err: error, attempt }, "transaction retried");
      await sleep(
        fullJitter(attempt, RETRY_BASE_MS, RETRY_CAP_MS),
        options.signal,
      );
    }
  }
}

async function runOnce<T>(
  deps: TransactionDeps,
  fn: (tx: Transaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const { signal } = options;
  const connection = await deps.pool.acquire(signal);
  const { client } = connection;
  const open = openTransaction(client, signal);
  let clean = false;
  try {
    const work = runQuery(client, beginSql(deps, options)).then(() => {
      signal?.throwIfAborted();
      return fn(open.tx);
    });
    const result = await untilAborted(work, signal);
    open.close();
    await commit(client, options.prepareAs);
    clean = true;
    if (options.prepareAs === undefined) announce(open.callbacks, deps.logger);
    return result;
  } catch (error) {
    open.close();
    clean = await cleanUp(client, error, deps.logger, signal);
    throw error;
  } finally {
    connection.release(!clean);
  }
}

function openTransaction(client: pg.PoolClient, signal?: AbortSignal) {
  const callbacks: (() => void)[] = [];
  let over = false;
  const tx: Transaction = {
    query<Row extends object>(
      sql: string,
      params?: readonly unknown[],
    ): Promise<Rows<Row>> {
      if (signal?.aborted) return Promise.reject(signal.reason);
      // A query that was not awaited would otherwise run in somebody else's transaction.
      if (over) return Promise.reject(transactionOver());
      return runQuery<Row>(client, sql, params);
    },
    onCommit(callback) {
      callbacks.push(callback);
    },
  };
  return { tx, callbacks, close: () => void (over = true) };
}

function beginSql(deps: TransactionDeps, options: TransactionOptions): string {
  const mode =
    options.isolation === undefined
      ? ""
      : ` isolation level ${options.isolation}`;
  const access = options.readOnly ? " read only" : "";
  // One round trip, and `set local` because PgBouncer in transaction mode
  // shares the session with others.
  return `begin${mode}${access};
    set local statement_timeout = ${deps.statementTimeoutMs};
    set local idle_in_transaction_session_timeout = ${deps.idleInTransactionTimeoutMs}`;
}

async function commit(
  client: pg.PoolClient,
  prepareAs?: string,
): Promise<void> {
  const sql =
    prepareAs === undefined
      ? "commit"
      : `prepare transaction ${client.escapeLiteral(prepareAs)}`;
  try {
    const result = await client.query(sql);
    // A transaction that failed inside answers a commit with a rollback.
    if (result.command === "ROLLBACK")
      throw new Error("the transaction had failed, so its commit rolled back");
  } catch (error) {
    throw isConnectionLost(error) ? commitUnknown(error) : error;
  }
}

/** Ends what is left of a failed transaction. Answers whether its connection may be used again. */
async function cleanUp(
  client: pg.PoolClient,
  error: unknown,
  logger: Logger,
  signal?: AbortSignal,
): Promise<boolean> {
  if (signal?.aborted) {
    // Awaited, as PgBouncer forgets whom to cancel when the connection closes.
    // The connection goes: the cancel could still hit what runs on it next.
    await cancelQuery(client);
    return false;
  }
  return !isConnectionLost(error) && rolledBack(client, logger);
}

async function rolledBack(
  client: pg.PoolClient,
  logger: Logger,
): Promise<boolean> {
  try {
    await client.query("rollback");
    return true;
  } catch (error) {
    logger.warn({ err: error }, "rollback failed, connection dropped");
    return false;
  }
}

function announce(callbacks: readonly (() => void)[], logger: Logger): void {
  for (const callback of callbacks) {
    try {
      callback();
    } catch (error) {
      // The commit stands, so the caller must not be told otherwise.
      logger.error({ err: error }, "after-commit callback failed");
    }
  }
}
