import type { ValueType } from "../sort-spec.ts";
import { RecordFault } from "./extractor.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { putStrictNumber } from "./number-key.ts";
import { putText } from "./text-key.ts";
import { putVersion } from "./version-key.ts";

export interface ValueRule {
  /** The column or path, for messages. */
  readonly name: string;
  readonly type?: ValueType;
  readonly descending?: boolean;
  readonly nulls?: "first" | "last" | "error";
}

/** One byte before each value sets those that are missing apart, whatever the direction. */
const VALUE = 1;
const NULL_FIRST = 0;
const NULL_LAST = 2;

/** Writes a value of a column or path; undefined is null. Throws a RecordFault where it is missing or no number. */
export function putField(
  writer: KeyWriter,
  value: Span | undefined,
  rule: ValueRule,
  record: number,
): void {
  if (value === undefined) {
    if (rule.nulls === "error") {
      throw new RecordFault("KEY_ABSENT", record, `there is no ${rule.name}`);
    }
    writer.put(rule.nulls === "first" ? NULL_FIRST : NULL_LAST);
    return;
  }
  writer.put(VALUE);
  writer.isDescending = rule.descending ?? false;
  if (!putTyped(writer, value, rule.type ?? "text")) {
    throw new RecordFault(
      "INPUT_MALFORMED",
      record,
      `${rule.name} is not a number`,
    );
  }
  writer.isDescending = false;
}

function putTyped(writer: KeyWriter, value: Span, type: ValueType): boolean {
  switch (type) {
    case "number":
      return putStrictNumber(writer, value);
    case "version":
      putVersion(writer, value, false);
      return true;
    case "text":
    case "folded-text":
      putText(writer, value, {
        foldCase: type === "folded-text",
        dictionary: false,
        printable: false,
        isLast: false,
      });
      return true;
  }
}
