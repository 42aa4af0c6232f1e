import pg from "pg";
import { metrics } from "@opentelemetry/api";
import type { Logger } from "../runtime/logger.ts";
import { poolExhausted, toDatabaseError } from "./database-errors.ts";
import { untilAborted } from "./until-aborted.ts";

export interface ConnectionPoolOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly maxWaiting: number;
  readonly acquireTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly applicationName: string;
  readonly logger: Logger;
}

/** A checked-out connection. It must be given back exactly once. */
export interface Connection {
  readonly client: pg.PoolClient;
  /** `destroy` closes it: for a connection whose state is not known to be clean. */
  release(destroy?: boolean): void;
}

export interface ConnectionPool {
  /** @throws DomainError RESOURCE_EXHAUSTED when the queue is full or the wait too long, UNAVAILABLE when the server cannot be reached. */
  acquire(signal?: AbortSignal): Promise<Connection>;
  close(): Promise<void>;
}

/** A bounded pool with a bounded queue in front of it, and a bounded wait in the queue. */
export function createConnectionPool(
  options: ConnectionPoolOptions,
): ConnectionPool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.acquireTimeoutMs,
    idleTimeoutMillis: options.idleTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    application_name: options.applicationName,
    keepAlive: true,
    types: { getTypeParser },
  });
  pool.on("error", (error) => {
    options.logger.warn({ err: error }, "idle database connection lost");
  });

  const busy = new Set<pg.PoolClient>();
  const stopObserving = observePool(pool, options.applicationName);

  return {
    acquire: (signal) => acquire(pool, busy, options, signal),

    async close() {
      stopObserving();
      const deadline = setTimeout(() => {
        // Ending a busy client breaks its socket, which fails its query.
        for (const client of busy) void client.end();
      }, options.closeTimeoutMs);
      await pool.end();
      clearTimeout(deadline);
    },
  };
}

async function acquire(
  pool: pg.Pool,
  busy: Set<pg.PoolClient>,
  options: ConnectionPoolOptions,
  signal?: AbortSignal,
): Promise<Connection> {
  signal?.throwIfAborted();
  if (pool.waitingCount >= options.maxWaiting) {
    throw poolExhausted("the queue for a database connection is full");
  }

  const connecting = pool.connect();
  const client = await untilAborted(connecting, signal).catch(
    (error: unknown) => {
      // The connection may still arrive after the abort: then it goes back unused.
      if (signal?.aborted) {
        connecting.then((late) => late.release(), ignore);
        throw error;
      }
      throw toDatabaseError(error);
    },
  );
  return checkOut(client, busy, options.logger);
}

function checkOut(
  client: pg.PoolClient,
  busy: Set<pg.PoolClient>,
  logger: Logger,
): Connection {
  // pg-pool listens for errors of idle clients only: without this, a
  // connection lost between two queries would end the process.
  const onError = (error: Error): void => {
    logger.warn({ err: error }, "database connection lost");
  };
  client.on("error", onError);
  busy.add(client);
  return {
    client,
    release(destroy = false) {
      client.removeListener("error", onError);
      busy.delete(client);
      client.release(destroy);
    },
  };
}

function ignore(): void {
  // Nobody waits for this connection any more; the abort is already reported.
}

function getTypeParser(
  oid: number,
  format?: "text" | "binary",
): (value: string) => unknown {
  if (oid === pg.types.builtins.INT8 && format !== "binary") return BigInt;
  return format === "binary"
    ? pg.types.getTypeParser(oid, "binary")
    : pg.types.getTypeParser(oid, "text");
}

function observePool(pool: pg.Pool, name: string): () => void {
  const meter = metrics.getMeter("weft.data");
  const connections = meter.createObservableGauge(
    "db.client.connection.count",
    { description: "Connections of the pool, by state", unit: "{connection}" },
  );
  const waiting = meter.createObservableGauge(
    "db.client.connection.pending_requests",
    { description: "Callers that wait for a connection", unit: "{request}" },
  );
  const pooled = { "db.client.connection.pool.name": name };
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (
    result,
  ) => {
    const idle = pool.idleCount;
    const state = "db.client.connection.state";
    result.observe(connections, idle, { ...pooled, [state]: "idle" });
    result.observe(connections, pool.totalCount - idle, {
      ...pooled,
      [state]: "used",
    });
    result.observe(waiting, pool.waitingCount, pooled);
  };
  meter.addBatchObservableCallback(observe, [connections, waiting]);
  return () =>
    meter.removeBatchObservableCallback(observe, [connections, waiting]);
}
