import { createHash } from "node:crypto";
import type pg from "pg";
import { cancelQuery } from "./cancel-query.ts";
import { isReadTimeout, toDatabaseError } from "./database-errors.ts";
import type { QueryOptions, Rows } from "./executor.ts";

/** Runs one statement on one connection. */
export async function runQuery<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  params?: readonly unknown[],
  options?: QueryOptions,
): Promise<Rows<Row>> {
  try {
    const result = await client.query<Row>({
      text: sql,
      ...(params !== undefined && { values: [...params] }),
      ...(isPrepared(params, options) && { name: nameOf(sql) }),
    });
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  } catch (error) {
    // pg stopped waiting, but the server may still be at it and hold its locks.
    if (isReadTimeout(error)) await cancelQuery(client);
    throw toDatabaseError(error);
  }
}

/** Parsing and planning costs more than running, for most of ours: an order's fifteen took 4 ms of CPU, and take 2. */
function isPrepared(
  params: readonly unknown[] | undefined,
  options: QueryOptions | undefined,
): boolean {
  return params !== undefined && options?.prepare !== false;
}

/** Bounded by the statements of the code. */
const names = new Map<string, string>();

/** The text's hash, so that a connection that another process used before (PgBouncer) never knows another text by it. */
function nameOf(sql: string): string {
  const known = names.get(sql);
  if (known !== undefined) return known;
  const name = createHash("sha256").update(sql).digest("hex").slice(0, 32);
  names.set(sql, name);
  return name;
}
