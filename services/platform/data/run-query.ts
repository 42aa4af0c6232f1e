import type pg from "pg";
import { cancelQuery } from "./cancel-query.ts";
import { isReadTimeout, toDatabaseError } from "./database-errors.ts";
import type { Rows } from "./executor.ts";

/** Runs one statement on one connection. */
export async function runQuery<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  params?: readonly unknown[],
): Promise<Rows<Row>> {
  try {
    const result = await client.query<Row>(
      sql,
      params === undefined ? undefined : [...params],
    );
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  } catch (error) {
    // pg stopped waiting, but the server may still be at it and hold its locks.
    if (isReadTimeout(error)) await cancelQuery(client);
    throw toDatabaseError(error);
  }
}
