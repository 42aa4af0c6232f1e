import type { SortInput, SortSpec } from "../sort-spec.ts";
import { splitCsvRow } from "../keys/csv-row.ts";
import { sortError } from "../sort-error.ts";
import { inputBytes } from "./input-bytes.ts";
import type { KnownInput } from "./inputs.ts";

/** A header that is longer is not a header. */
const LONGEST = 1 << 20;

export interface Heads {
  readonly inputs: readonly KnownInput[];
  /** Of each input the bytes before its first record. */
  readonly heads: readonly Uint8Array[];
  /** The first header, which the output begins with, and its columns' names. An empty file has none. */
  readonly head: Uint8Array;
  readonly names: readonly string[];
}

/** Reads the header rows of CSV inputs; other records have none. */
export async function readHeads(
  spec: SortSpec,
  inputs: readonly KnownInput[],
  signal: AbortSignal,
): Promise<Heads> {
  const { record } = spec;
  if (record.kind !== "csv" || !record.header) {
    const none = new Uint8Array();
    return { inputs, heads: inputs.map(() => none), head: none, names: [] };
  }
  const separator = (record.separator ?? ",").charCodeAt(0);
  const read = await Promise.all(
    inputs.map((known) => readHead(known, signal)),
  );
  const headers = read
    .filter(({ head }) => head.length > 0)
    .map(({ known, head }) => {
      const names = splitCsvRow(head, separator);
      return { input: known.name, head, names };
    });
  checkSameColumns(headers);
  const [first] = headers;
  return {
    inputs: read.map(({ known }) => known),
    heads: read.map(({ head }) => head),
    head: first?.head ?? new Uint8Array(),
    names: first?.names ?? [],
  };
}

interface Header {
  readonly input: string;
  readonly names: readonly string[];
}

/** The first header stands for all: under another one rows would be ordered by columns that are not meant. */
function checkSameColumns([first, ...others]: readonly Header[]): void {
  for (const { input, names } of others) {
    const most = Math.max(names.length, first?.names.length ?? 0);
    for (let i = 0; i < most; i++) {
      const [own, wanted] = [names[i], first?.names[i]];
      if (own === wanted) continue;
      throw sortError(
        "INPUT_MALFORMED",
        `the headers differ: column ${i + 1} is ${shown(own)} in ${input}, and ${shown(wanted)} in ${first?.input}`,
        { metadata: { input, line: "1" } },
      );
    }
  }
}

function shown(name: string | undefined): string {
  return name === undefined ? "missing" : JSON.stringify(name.slice(0, 100));
}

async function readHead(
  known: KnownInput,
  signal: AbortSignal,
): Promise<{ known: KnownInput; head: Uint8Array }> {
  const pieces = inputBytes(known, 0, signal)[Symbol.asyncIterator]();
  const findEnd = rowEndFinder();
  const seen: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { value, done } = await pieces.next();
    const end = done ? 0 : findEnd(value);
    if (!done) seen.push(Uint8Array.from(value));
    if (end !== undefined) {
      const all = new Uint8Array(Buffer.concat(seen));
      const head = withLineEnd(all.subarray(0, length + end));
      return { known: await putBack(known, all, pieces), head };
    }
    length += value?.length ?? 0;
    if (length > LONGEST) {
      throw sortError(
        "INPUT_MALFORMED",
        `${known.name} has no header row in its first ${LONGEST} bytes`,
        { metadata: { input: known.name, line: "1" } },
      );
    }
  }
}

/** Tells of piece after piece where in it the first row is over. No byte is looked at twice, however small the pieces. */
function rowEndFinder(): (piece: Uint8Array) => number | undefined {
  let isQuoted = false;
  return (piece) => {
    for (const [i, byte] of piece.entries()) {
      if (byte === 34) isQuoted = !isQuoted;
      if (byte === 10 && !isQuoted) return i + 1;
    }
    return undefined;
  };
}

function withLineEnd(head: Uint8Array): Uint8Array {
  if (head.length === 0 || head.at(-1) === 10) return head;
  return new Uint8Array(Buffer.concat([head, Buffer.from("\n")]));
}

/** A stream can be opened once: what was read of it comes again before the rest. */
async function putBack(
  known: KnownInput,
  seen: Uint8Array,
  pieces: AsyncIterator<Uint8Array>,
): Promise<KnownInput> {
  if (known.input.kind !== "stream") {
    await pieces.return?.();
    return known;
  }
  const rest = async function* () {
    yield seen;
    for (;;) {
      const { value, done } = await pieces.next();
      if (done) return;
      yield value;
    }
  };
  const input: SortInput = {
    kind: "stream",
    name: known.name,
    open: rest,
    compression: "none",
  };
  return { ...known, input, compression: "none" };
}
