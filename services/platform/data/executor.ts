/** What a query answers: the rows, and how many rows the statement touched. */
export interface Rows<Row> {
  readonly rows: readonly Row[];
  readonly rowCount: number;
}

/**
 * The one thing a store function needs: something that runs SQL. Both a
 * transaction and the database itself are one, so a store function takes it
 * first and never knows which it was given.
 *
 * Column values arrive as: `int8` and `count(*)` -> bigint, `timestamptz` ->
 * Date, `numeric` -> string, `bytea` -> Buffer, `json`/`jsonb` -> parsed value.
 * A bigint, Date, Buffer, array or plain object (as json) may be a parameter.
 *
 * A statement with parameters is parsed and planned once a connection, which
 * keeps its text: the texts of a program have to be few.
 */
export interface Executor {
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<Rows<Row>>;
}
