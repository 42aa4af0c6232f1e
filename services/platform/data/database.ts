import {
  type Attributes,
  type Histogram,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Logger } from "../runtime/logger.ts";
import {
  type ConnectionPool,
  createConnectionPool,
} from "./connection-pool.ts";
import { isConnectionLost } from "./database-errors.ts";
import type { Executor, Rows } from "./executor.ts";
import { runQuery } from "./run-query.ts";
import {
  runTransaction,
  type Transaction,
  type TransactionDeps,
  type TransactionOptions,
} from "./transaction.ts";

export interface DatabaseOptions {
  /** `postgres://role:password@host:port/database`; PgBouncer in transaction mode will do. */
  readonly url: string;
  readonly logger: Logger;
  /** Shown in `pg_stat_activity` and as the pool's name in metrics. */
  readonly applicationName: string;
  /** Connections at most. Each costs the server about 10 MB. Default 10. */
  readonly poolSize?: number;
  /** Callers that may wait for a connection at most. Default 200. */
  readonly maxWaiting?: number;
  /** How long a caller waits for a connection. Default 2 s. */
  readonly acquireTimeoutMs?: number;
  /** How long one statement may run. Default 5 s. */
  readonly statementTimeoutMs?: number;
  /** How long a transaction may idle between statements. Default 10 s. */
  readonly idleInTransactionTimeoutMs?: number;
  /** How long an unused connection is kept. Default 5 min: a new one has to plan every statement anew. */
  readonly idleTimeoutMs?: number;
  /** How long `close` waits for busy connections before it breaks them. Default 5 s. */
  readonly closeTimeoutMs?: number;
}

export interface Database extends Executor, AsyncDisposable {
  /**
   * Runs `fn` in one transaction: commits when it resolves, rolls back when it
   * rejects or `signal` aborts. On a serialization failure or a deadlock it
   * runs again from the start (6 times at most), so `fn` must have no effect
   * outside of `tx`.
   *
   * @throws DomainError `unavailable` (DATABASE_UNAVAILABLE, or
   * COMMIT_OUTCOME_UNKNOWN when the connection died in the commit),
   * `resource_exhausted` (DATABASE_POOL_EXHAUSTED), `deadline_exceeded`
   * (STATEMENT_TIMEOUT), the signal's reason, or what `fn` threw.
   */
  transaction<T>(
    fn: (tx: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /** Waits for busy connections, for a bounded time, and closes all. */
  close(): Promise<void>;
}

/**
 * A Postgres database behind a bounded pool. Connects on first use, so a
 * process starts while its database is down and heals when it is back.
 */
export function createDatabase(options: DatabaseOptions): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? 5_000;
  const pool = createConnectionPool({
    url: options.url,
    logger: options.logger,
    applicationName: options.applicationName,
    poolSize: options.poolSize ?? 10,
    maxWaiting: options.maxWaiting ?? 200,
    acquireTimeoutMs: options.acquireTimeoutMs ?? 2_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 5_000,
    // Past the server's own timeout, for a server that does not answer at all.
    queryTimeoutMs: statementTimeoutMs + 2_000,
  });
  const deps: TransactionDeps = {
    pool,
    logger: options.logger,
    statementTimeoutMs,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs ?? 10_000,
  };
  const duration = metrics
    .getMeter("weft.data")
    .createHistogram("db.client.operation.duration", { unit: "s" });
  const attributes = {
    "db.system.name": "postgresql",
    "db.client.connection.pool.name": options.applicationName,
  };

  return {
    query: (sql, params) =>
      timed(duration, { ...attributes, "db.operation.name": "query" }, () =>
        queryOnce(pool, sql, params),
      ),
    transaction: (fn, transactionOptions = {}) =>
      timed(
        duration,
        { ...attributes, "db.operation.name": "transaction" },
        () =>
          inSpan("postgres transaction", attributes, () =>
            runTransaction(deps, fn, transactionOptions),
          ),
      ),
    close: () => pool.close(),
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

async function queryOnce<Row extends object>(
  pool: ConnectionPool,
  sql: string,
  params: readonly unknown[] | undefined,
): Promise<Rows<Row>> {
  const connection = await pool.acquire();
  let clean = true;
  try {
    return await runQuery<Row>(connection.client, sql, params);
  } catch (error) {
    clean = !isConnectionLost(error);
    throw error;
  } finally {
    connection.release(!clean);
  }
}

async function timed<T>(
  histogram: Histogram,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    histogram.record((performance.now() - start) / 1_000, attributes);
  }
}

/** One span a transaction: a span a statement costs more than most statements tell. */
function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const tracer = trace.getTracer("weft.data");
  return tracer.startActiveSpan(
    name,
    { kind: SpanKind.CLIENT, attributes },
    async (span) => {
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        if (error instanceof Error) span.recordException(error);
        throw error;
      } finally {
        span.end();
      }
    },
  );
}
