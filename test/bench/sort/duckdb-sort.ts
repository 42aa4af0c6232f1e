/**
 * Sorts a file by a statement of DuckDB, in a process of its own so that it is measured as the others are:
 * `node duckdb-sort.ts <memory> <threads> <temp folder> <statement>`.
 */
import { DuckDBInstance } from "@duckdb/node-api";

const [memory = "", threads = "", folder = "", statement = ""] =
  process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:", {
  memory_limit: memory,
  threads,
  temp_directory: folder,
});
const connection = await instance.connect();
await connection.run(statement);
connection.closeSync();
instance.closeSync();
