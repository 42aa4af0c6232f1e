import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createDatabase,
  type Database,
} from "../../services/platform/data/database.ts";
import type { Executor } from "../../services/platform/data/executor.ts";
import { setupDatabase, type TestDatabase } from "./database.ts";
import { rowsRead } from "./rows-read.ts";
import { silentLogger } from "./silent-logger.ts";

export const STORED = 20_000;
/** A page is of ten, and one statement may look at each twice. */
const FEW_ROWS = 50;
export const NOW = new Date();
/** They are made at one a second. */
export const HALF_WAY = new Date(NOW.getTime() - STORED * 500);

/**
 * A database of a service for a test file, filled with {@link STORED} rows that nobody works on any more. Answers what
 * opens it.
 */
export function setupStoredMany(
  service: string,
  fill: (db: Database) => Promise<void>,
): () => Database {
  let database: TestDatabase;
  let db: Database;
  beforeAll(async () => {
    database = await setupDatabase({ service });
    db = createDatabase({
      url: database.url,
      logger: silentLogger,
      applicationName: `${service} test`,
      acquireTimeoutMs: 20_000,
    });
    await fill(db);
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await database.close();
  });
  return () => db;
}

/** A test for each read, by what it reads. */
export function testReadsFewRows(
  db: () => Database,
  reads: readonly (readonly [
    what: string,
    read: (db: Executor) => Promise<unknown>,
  ])[],
): void {
  test.each(reads)(
    "among many that are settled, %s reads few rows",
    async (_, read) => {
      expect(await rowsRead(db(), read)).toBeLessThan(FEW_ROWS);
    },
  );
}
