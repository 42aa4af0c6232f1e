import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { fullJitter, sleep } from "./backoff.ts";
import { hasSqlState } from "./database-errors.ts";
import type { Logger } from "../runtime/logger.ts";

export interface MigrateOptions {
  /**
   * The service's own role. A direct connection, not one through PgBouncer: the
   * lock that makes several instances take turns belongs to a session.
   */
  readonly url: string;
  /** The service's own schema; must exist and belong to the role. */
  readonly schema: string;
  /** The service's numbered SQL files, `001_orders.sql` and on; left out when it has none. */
  readonly folder?: string;
  readonly logger: Logger;
  /** How long to wait while another instance migrates. Default 60 s. */
  readonly lockTimeoutMs?: number;
}

/**
 * How long a statement of a migration waits for a table. Whoever comes after it waits behind it, so that one long reader
 * would stop all traffic for as long.
 */
const TABLE_LOCK_MS = 2_000;
/** Tries of a set of files; the pauses between them let the traffic through. */
const ATTEMPTS = 15;
const PAUSE_MS = 500;
const LOCK_NOT_AVAILABLE = "55P03";

/** Any number does, as long as every service uses the same one in its database. */
const LOCK_ID = 7_306_514_209;
const PLATFORM_FOLDER = fileURLToPath(
  new URL("../events/migrations", import.meta.url),
);

/**
 * Brings the schema up to date: first the platform's tables (outbox, inbox,
 * relay lease), then the service's, in the order of their numbers, and of their
 * names where numbers are the same (a file's name is its identity once it has
 * run, so it stays). Instances that start together take turns,
 * each set of files is one transaction, and a file that fails leaves the schema
 * as it was. One that finds a table locked for 2 s is tried again, about half a
 * minute long.
 *
 * @throws Error that names the schema and keeps Postgres' own error as cause.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: `${options.schema} migrate`,
    connectionTimeoutMillis: 5_000,
  });
  try {
    await client.connect();
    await client.query(`set lock_timeout = ${options.lockTimeoutMs ?? 60_000}`);
    await client.query("select pg_advisory_lock($1)", [LOCK_ID]);
    await client.query(`set lock_timeout = ${TABLE_LOCK_MS}`);
    await patiently(options, () =>
      apply(client, options, PLATFORM_FOLDER, "platform_migrations"),
    );
    const { folder } = options;
    if (folder !== undefined) {
      await patiently(options, () =>
        apply(client, options, folder, "service_migrations"),
      );
    }
  } catch (error) {
    throw new Error(`migration of schema "${options.schema}" failed`, {
      cause: error,
    });
  } finally {
    // The end of the session releases the lock too.
    await client.end();
  }
}

async function patiently(
  { logger, schema }: MigrateOptions,
  migration: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await migration();
    } catch (error) {
      if (!hasSqlState(error, LOCK_NOT_AVAILABLE) || attempt === ATTEMPTS) {
        throw error;
      }
      logger.warn(
        { err: error, schema, attempt },
        "a table is locked, the migration tries again",
      );
      await sleep(PAUSE_MS / 2 + fullJitter(1, PAUSE_MS, PAUSE_MS));
    }
  }
}

async function apply(
  client: pg.Client,
  options: MigrateOptions,
  folder: string,
  table: string,
): Promise<void> {
  const { logger, schema } = options;
  if (await hasAll(client, schema, folder, table)) return;
  // What it brings stays in memory, 1.5 MB, and most starts have nothing to migrate.
  const { runner } = await import("node-pg-migrate");
  const applied = await runner({
    dbClient: client,
    dir: folder,
    direction: "up",
    migrationsTable: table,
    schema,
    singleTransaction: true,
    noLock: true,
    logger: {
      info: (message) => logger.debug({ schema }, message),
      warn: (message) => logger.warn({ schema }, message),
      error: (message) => logger.error({ schema }, message),
    },
  });
  for (const { name } of applied)
    logger.info({ schema, migration: name }, "migration applied");
}

/** Whether every file of the folder has run. */
async function hasAll(
  client: pg.Client,
  schema: string,
  folder: string,
  table: string,
): Promise<boolean> {
  const name = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
  const found = await client.query<{ known: boolean }>(
    "select to_regclass($1) is not null as known",
    [name],
  );
  if (!found.rows[0]?.known) return false;
  const { rows } = await client.query<{ name: string }>(
    `select name from ${name}`,
  );
  const applied = new Set(rows.map((row) => row.name));
  const files = await readdir(folder);
  return files.every((file) => applied.has(file.replace(/\.sql$/, "")));
}
