import type { DataKind } from "./make-data.ts";

/** Lines as DuckDB reads them without looking into them: no CSV file has this byte. */
const WHOLE_LINE = "delim = '\x01', header = false, quote = '', escape = ''";
const AS_LINES =
  "(format csv, header false, quote '', escape '', delimiter '\x01')";

/**
 * What DuckDB is asked for the same result: `order by` over the lines of the input, copied to the output. It reads CR LF as a line's end and
 * writes LF, so its bytes are not compared.
 */
export function duckdbStatement(
  data: DataKind,
  input: string,
  output: string,
): string {
  const [source, order] = readingOf(data, input);
  return `copy (select line from ${source} order by ${order}) to '${output}' ${AS_LINES}`;
}

function readingOf(
  data: DataKind,
  input: string,
): [source: string, order: string] {
  const read = (type = "varchar", more = "") =>
    `read_csv('${input}', ${WHOLE_LINE}, columns = {'line': '${type}'}${more})`;
  switch (data) {
    case "fixed":
      return [read(), "substring(line, 1, 10)"];
    case "numbers":
      return [read("hugeint"), "line"];
    case "csv":
      return [read("varchar", ", skip = 1"), "split_part(line, ',', 2)"];
    case "ndjson":
      return [read(), "json_extract_string(line, '$.user.name')"];
    case "text":
    case "presorted":
    case "duplicates":
      return [read(), "line"];
  }
}
