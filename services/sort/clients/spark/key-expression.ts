import type { RecordOrder } from "../../domain/sort-plan.ts";

export type SparkKey = Extract<RecordOrder["keys"][number], { kind: "field" }>;

/**
 * The SQL of a line's key: a string whose bytes order as our engine orders the key. Nothing of the caller's is pasted into
 * it but numbers.
 */
export function keyExpression(key: SparkKey): string {
  const text = fieldOf(key);
  return key.type === "number" ? decimalOf(text) : text;
}

/** A character a byte: Spark finds characters in UTF-8 only, and these order as the bytes do. */
const bytes = "decode(cast(value as binary), 'ISO-8859-1')";

function fieldOf({ separator, start, end }: SparkKey): string {
  if (start.field === 1 && end === undefined) return "value";
  const mark = `chr(${separator ?? 0})`;
  if (end !== undefined) return `split_part(${bytes}, ${mark}, ${start.field})`;
  // What comes after so many separators.
  const before = `substring_index(${bytes}, ${mark}, ${start.field - 1})`;
  return `substring(${bytes}, length(${before}) + 2)`;
}

/**
 * A decimal of any length, as GNU's -n reads it: a sign, how many digits the whole part has, and all digits, turned round
 * below zero, where the one that goes on is the smaller one.
 */
function decimalOf(text: string): string {
  const found = (pattern: string) =>
    `regexp_extract(${text}, r'${pattern}', 1)`;
  const whole = `ltrim('0', ${found("^[ \\t]*-?([0-9]*)")})`;
  const part = `rtrim('0', ${found("^[ \\t]*-?[0-9]*\\.([0-9]*)")})`;
  const size = `concat(lpad(cast(length(${whole}) as string), 10, '0'), ${whole}, ${part})`;
  const isBelow = `${text} rlike r'^[ \\t]*-' and concat(${whole}, ${part}) <> ''`;
  return (
    `case when ${isBelow} ` +
    `then concat('0', translate(${size}, '0123456789', '9876543210'), '~') ` +
    `else concat('1', ${size}) end`
  );
}
