/**
 * How a statement that does many items at once takes them: as one parameter, the JSON of a list, which it reads by
 * `json_to_recordset`. Measured with rows of 20 columns it costs client and server about as much as 20 arrays and
 * `unnest`, and it stays readable.
 *
 * JSON has no bigint and no bytes: they go as decimal digits and as hex, which the column's type reads. A Date and
 * undefined need nothing.
 */
export function recordSet(rows: readonly Readonly<object>[]): string {
  return JSON.stringify(rows, (_name, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

/** Bytes as a `bytea` column reads them. */
export function hexBytes(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return `\\x${Buffer.from(buffer, byteOffset, byteLength).toString("hex")}`;
}

/**
 * How long a batch waits for a row that somebody else has locked: then it fails, and each of its items goes on alone and
 * waits its own time, so that one locked row (a prepared transaction may hold one for seconds) never holds up the others.
 * A common table expression for a statement that is a transaction by itself: join `patience` below the first lock.
 */
export const patience = `patience as materialized (
       select set_config('lock_timeout', '250ms', true)
     )`;
