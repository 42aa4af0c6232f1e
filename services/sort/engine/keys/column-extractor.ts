import type { Kernel, PlainColumn } from "../kernel/kernel.ts";
import { findByte } from "../kernel/typescript/bytes.ts";
import type { ColumnKey } from "../sort-spec.ts";
import {
  RecordFault,
  type Extracted,
  type Extractor,
  type ExtractInput,
  type ExtractRoom,
} from "./extractor.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { RowTable } from "./row-table.ts";
import { putField, type ValueRule } from "./value-key.ts";

const QUOTE = 34;
const LF = 10;
const CR = 13;
/** Of a file whose every row has quotes, the kernel looks at one row in so many in vain. */
const MOST_PAUSE = 64;

interface Column extends ValueRule {
  readonly index: number;
}

/** Rows of CSV (RFC 4180): fields in quotes may hold separators, line ends and doubled quotes. */
export function createColumnExtractor(
  separator: number,
  keys: readonly (ColumnKey & { readonly index: number })[],
): Extractor {
  const columns = keys.map((key) => ({
    ...key,
    name: `column ${JSON.stringify(key.column)}`,
  }));
  const plain = plainColumn(separator, columns);
  return {
    delimiter: LF,
    extract: (kernel, input, room) =>
      extractRows(kernel, input, room, separator, columns, plain),
  };
}

/** What the kernel can take in by itself: rows with one key, of text as it is. */
function plainColumn(
  separator: number,
  [column, ...others]: readonly Column[],
): PlainColumn | undefined {
  if (!column || others.length > 0 || (column.type ?? "text") !== "text") {
    return undefined;
  }
  const mask = column.descending ? 255 : 0;
  return { separator, column: column.index, mask };
}

function extractRows(
  kernel: Kernel,
  { from, limit, startLimit }: ExtractInput,
  room: ExtractRoom,
  separator: number,
  columns: readonly Column[],
  plain: PlainColumn | undefined,
): Extracted {
  const { view } = kernel;
  const table = new RowTable(kernel, room);
  const most = columns.reduce((last, { index }) => Math.max(last, index), 0);
  // Where each wanted field begins and ends: quotes included.
  const fields: number[] = [];
  let start = from;
  // Rows until the kernel is asked again, and how many to leave out when it takes none.
  let pause = 0;
  let nextPause = 1;
  while (start < limit && start < startLimit) {
    if (plain && pause-- === 0) {
      const rows = { from: start, limit, startLimit };
      kernel.takePlainRows(rows, table.room, plain);
      const taken = table.adopt();
      nextPause = taken > start ? 1 : Math.min(2 * nextPause, MOST_PAUSE);
      pause = taken > start ? 0 : nextPause;
      start = taken;
      if (start >= limit || start >= startLimit) break;
    }
    fields.length = 0;
    const end = scanRow(view, start, limit, separator, fields, 2 * (most + 1));
    if (end < 0) break;
    const record = start;
    const isAdded = table.add(start, end - start, (writer) =>
      putColumns(writer, view, fields, columns, record),
    );
    if (!isAdded) return { consumed: start, rows: table.rows, isFull: true };
    start = end;
  }
  return { consumed: start, rows: table.rows, isFull: false };
}

/** Notes the edges of a row's first fields; returns the byte behind the row, or -1 where it is not whole. */
function scanRow(
  view: DataView,
  from: number,
  limit: number,
  separator: number,
  fields: number[],
  most: number,
): number {
  let at = from;
  let isKnownToHaveQuotes = false;
  for (;;) {
    const start = at;
    if (fields.length === most && !isKnownToHaveQuotes) {
      // The rest of most rows has no quotes, and then its line feed is the row's.
      const end = findByte(view, LF, at, limit);
      if (findByte(view, QUOTE, at, end) === end) {
        return end < limit ? end + 1 : -1;
      }
      isKnownToHaveQuotes = true;
    }
    if (at < limit && view.getUint8(at) === QUOTE) {
      at = skipQuoted(view, at, limit);
      if (at < 0) return -1;
    }
    const isQuoted = at > start;
    let byte = 0;
    for (; ; at++) {
      if (at >= limit) return -1;
      byte = view.getUint8(at);
      if (byte === separator || byte === LF) break;
      if (byte === QUOTE || (isQuoted && byte !== CR)) throw misquoted(from);
    }
    if (fields.length < most) {
      const isCrLf = byte === LF && at > start && view.getUint8(at - 1) === CR;
      fields.push(start, isCrLf ? at - 1 : at);
    }
    at++;
    if (byte === LF) return at;
  }
}

/** Behind the closing quote, or -1. */
function skipQuoted(view: DataView, from: number, limit: number): number {
  for (let at = from + 1; at < limit; at++) {
    if (view.getUint8(at) !== QUOTE) continue;
    if (at + 1 >= limit) return -1;
    const next = view.getUint8(at + 1);
    if (next !== QUOTE) return at + 1;
    at++;
  }
  return -1;
}

function misquoted(record: number): RecordFault {
  return new RecordFault(
    "INPUT_MALFORMED",
    record,
    "a quote stands where none may be: fields with quotes are quoted, and quotes in them doubled",
  );
}

function putColumns(
  writer: KeyWriter,
  view: DataView,
  fields: readonly number[],
  columns: readonly Column[],
  record: number,
): void {
  for (const column of columns) {
    const from = fields[2 * column.index];
    const to = fields[2 * column.index + 1];
    if (from === undefined || to === undefined) {
      throw new RecordFault(
        "INPUT_MALFORMED",
        record,
        `the row has only ${fields.length / 2} fields and so no ${column.name}`,
      );
    }
    const value = unquoted({ view, from, to });
    const isText = column.type === undefined || column.type === "text";
    const isNull = value.from === value.to && !isText;
    putField(writer, isNull ? undefined : value, column, record);
  }
}

function unquoted(field: Span): Span {
  const { view, from, to } = field;
  if (from === to || view.getUint8(from) !== QUOTE) return field;
  const inner = { view, from: from + 1, to: to - 1 };
  for (let at = inner.from; at < inner.to; at++) {
    if (view.getUint8(at) === QUOTE) return undoubled(inner);
  }
  return inner;
}

function undoubled({ view, from, to }: Span): Span {
  const bytes: number[] = [];
  for (let at = from; at < to; at++) {
    const byte = view.getUint8(at);
    bytes.push(byte);
    if (byte === QUOTE) at++;
  }
  const copy = Uint8Array.from(bytes);
  return { view: new DataView(copy.buffer), from: 0, to: copy.length };
}
