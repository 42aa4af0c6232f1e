import type pg from "pg";
import { cancelQuery } from "./cancel-query.ts";
import { isReadTimeout, toDatabaseError } from "./database-errors.ts";
import type { Rows } from "./executor.ts";

/** How long a cancelled query may take to end before its connection is given up. */
const CANCEL_GRACE_MS = 1_000;

/** Runs one statement on one connection. An abort cancels it on the server too. */
export async function runQuery<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  params: readonly unknown[] | undefined,
  signal?: AbortSignal,
): Promise<Rows<Row>> {
  signal?.throwIfAborted();
  let grace: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    void cancelQuery(client);
    // Ending a client in mid-query breaks its socket, so the query settles.
    grace = setTimeout(() => void endBroken(client), CANCEL_GRACE_MS);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const result = await client.query<Row>(
      sql,
      params === undefined ? undefined : [...params],
    );
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    // pg stopped waiting, but the server may still be at it and hold its locks.
    if (isReadTimeout(error)) void cancelQuery(client);
    throw toDatabaseError(error);
  } finally {
    clearTimeout(grace);
    signal?.removeEventListener("abort", onAbort);
  }
}

async function endBroken(client: pg.ClientBase): Promise<void> {
  // A pool hands out full clients; only the declared type lacks `end`.
  await (client as pg.Client).end();
}
