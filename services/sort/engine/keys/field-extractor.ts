import type { Kernel } from "../kernel/kernel.ts";
import type { LineKey } from "../sort-spec.ts";
import { findByte } from "../kernel/typescript/bytes.ts";
import type {
  Extracted,
  Extractor,
  ExtractInput,
  ExtractRoom,
} from "./extractor.ts";
import { fieldSpan } from "./field-span.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { putDecimal, putGeneral } from "./number-key.ts";
import { RowTable } from "./row-table.ts";
import { putHumanSize, putMonth } from "./size-key.ts";
import { putText } from "./text-key.ts";
import { putVersion } from "./version-key.ts";

type WriteKey = (writer: KeyWriter, line: Span) => void;

/** Lines with keys as GNU sort's `-k` states them. */
export function createFieldExtractor(
  delimiter: number,
  keys: readonly LineKey[],
  reverse: boolean,
): Extractor {
  const writeKeys = keys.map((key, i) =>
    keyWriter(key, key.reverse ?? reverse, i === keys.length - 1),
  );
  const writeKey: WriteKey = (writer, line) => {
    for (const write of writeKeys) write(writer, line);
  };
  return {
    delimiter,
    extract: (kernel, input, room) =>
      extractLines(kernel, input, room, delimiter, writeKey),
  };
}

/** Calls `writeKey` for each whole line; the span is without the delimiter. */
export function extractLines(
  kernel: Kernel,
  { from, limit, startLimit }: ExtractInput,
  room: ExtractRoom,
  delimiter: number,
  writeKey: WriteKey,
): Extracted {
  const { view } = kernel;
  const table = new RowTable(kernel, room);
  let start = from;
  while (start < limit && start < startLimit) {
    const at = findByte(view, delimiter, start, limit);
    if (at === limit) break;
    const line = { view, from: start, to: at };
    const isAdded = table.add(start, at + 1 - start, (writer) =>
      writeKey(writer, line),
    );
    if (!isAdded) return { consumed: start, rows: table.rows, isFull: true };
    start = at + 1;
  }
  return { consumed: start, rows: table.rows, isFull: false };
}

function keyWriter(
  key: LineKey,
  isDescending: boolean,
  isLast: boolean,
): WriteKey {
  const write = valueWriter(key, isLast && !isDescending);
  return (writer, line) => {
    writer.isDescending = isDescending;
    write(writer, fieldSpan(line, key));
    writer.isDescending = false;
  };
}

function valueWriter(key: LineKey, isLast: boolean): WriteKey {
  switch (key.type ?? "bytes") {
    case "bytes": {
      const { foldCase, dictionary, printable } = key;
      const rule = {
        foldCase: foldCase ?? false,
        dictionary: dictionary ?? false,
        printable: printable ?? false,
        isLast,
      };
      return (writer, span) => putText(writer, span, rule);
    }
    case "number":
      return putDecimal;
    case "general":
      return putGeneral;
    case "human":
      return putHumanSize;
    case "month":
      return putMonth;
    case "version":
      return (writer, span) => putVersion(writer, span, key.foldCase ?? false);
  }
}
