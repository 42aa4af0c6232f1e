import type {
  Compression,
  LineKey,
  SortInput,
  SortKey,
  SortSpec,
} from "../engine/sort-spec.ts";
import type { SortOptions } from "../engine/sort-options.ts";
import { parseColumnKey, parsePathKey } from "./value-key-args.ts";
import { parseKeyDef, type Ordering } from "./key-def.ts";
import { parseSize } from "./parse-size.ts";
import { UsageError } from "./usage-error.ts";

/** What the command line asks for. */
export interface SortArgs {
  readonly mode: "sort" | "check" | "check-quietly" | "help" | "version";
  readonly spec: Omit<SortSpec, "inputs" | "output">;
  /** "-" is standard input. */
  readonly inputs: readonly string[];
  /** Undefined is standard output. */
  readonly output: string | undefined;
  readonly inputCompression: Exclude<
    SortInput,
    { kind: "ranges" }
  >["compression"];
  readonly outputCompression: Compression | undefined;
  readonly options: Partial<SortOptions>;
  readonly memoryBytes: number | undefined;
  readonly tempFolder: string | undefined;
  readonly progress: boolean | undefined;
}

interface Draft {
  mode: SortArgs["mode"];
  record: "lines" | "fixed" | "csv" | "ndjson";
  fixed: readonly number[];
  header: boolean;
  separator: string | undefined;
  delimiter: number;
  keyDefs: string[];
  valueKeys: string[];
  global: Ordering;
  stable: boolean;
  unique: "first" | "last" | undefined;
  top: number | undefined;
  inputs: string[];
  output: string | undefined;
  inputCompression: SortArgs["inputCompression"];
  outputCompression: Compression | undefined;
  options: { -readonly [K in keyof SortOptions]?: SortOptions[K] };
  memoryBytes: number | undefined;
  tempFolder: string | undefined;
  progress: boolean | undefined;
}

/** Reads the arguments of `npm run sort`; flags are named as GNU sort's where it has them. Throws a UsageError. */
export function parseSortArgs(args: readonly string[]): SortArgs {
  const draft: Draft = newDraft();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") draft.inputs.push(...rest.splice(0));
    else if (arg.startsWith("--")) readLong(draft, arg, rest);
    else if (arg.startsWith("-") && arg !== "-") readShort(draft, arg, rest);
    else draft.inputs.push(arg);
  }
  return finish(draft);
}

function newDraft(): Draft {
  return {
    mode: "sort",
    record: "lines",
    fixed: [],
    header: false,
    separator: undefined,
    delimiter: 10,
    keyDefs: [],
    valueKeys: [],
    global: {},
    stable: false,
    unique: undefined,
    top: undefined,
    inputs: [],
    output: undefined,
    inputCompression: "auto",
    outputCompression: undefined,
    options: {},
    memoryBytes: undefined,
    tempFolder: undefined,
    progress: undefined,
  };
}

/** Those with a value, by GNU's letter and name; and what they do. */
const VALUED: Readonly<Record<string, (draft: Draft, value: string) => void>> =
  {
    key: (draft, value) => {
      if (/^[0-9]+(\.[0-9]+)?[a-zA-Z]*(,|$)/.test(value)) {
        draft.keyDefs.push(value);
      } else draft.valueKeys.push(value);
    },
    "field-separator": (draft, value) => (draft.separator = one(value)),
    output: (draft, value) => (draft.output = value),
    "buffer-size": (draft, value) => (draft.memoryBytes = parseSize(value)),
    "temporary-directory": (draft, value) => (draft.tempFolder = value),
    parallel: (draft, value) => (draft.options.workers = whole(value)),
    sort: (draft, value) => readSortWord(draft, value),
    "compress-output": (draft, value) =>
      (draft.outputCompression = compression(value)),
    "input-compression": (draft, value) =>
      (draft.inputCompression = value === "auto" ? value : compression(value)),
    fixed: (draft, value) => {
      draft.record = "fixed";
      draft.fixed = value.split(",").map(whole);
    },
    top: (draft, value) => (draft.top = whole(value)),
    "temp-limit": (draft, value) =>
      (draft.options.tempBytes = parseSize(value)),
    job: (draft, value) => (draft.options.jobFolder = value),
    kernel: (draft, value) => (draft.options.kernel = kernel(value)),
    check: (draft, value) =>
      (draft.mode =
        value === "quiet" || value === "silent" ? "check-quietly" : "check"),
    unique: (draft, value) =>
      (draft.unique = value === "last" ? "last" : "first"),
  };

const PLAIN: Readonly<Record<string, (draft: Draft) => void>> = {
  "ignore-leading-blanks": ({ global }) => (global.skipBlanks = true),
  "dictionary-order": ({ global }) => (global.dictionary = true),
  "ignore-case": ({ global }) => (global.foldCase = true),
  "ignore-nonprinting": ({ global }) => (global.printable = true),
  "general-numeric-sort": ({ global }) => (global.type = "general"),
  "human-numeric-sort": ({ global }) => (global.type = "human"),
  "month-sort": ({ global }) => (global.type = "month"),
  "numeric-sort": ({ global }) => (global.type = "number"),
  "version-sort": ({ global }) => (global.type = "version"),
  reverse: ({ global }) => (global.reverse = true),
  check: (draft) => (draft.mode = "check"),
  // Sorted inputs stay where they are: sorting them is merging them.
  merge: () => {},
  stable: (draft) => (draft.stable = true),
  unique: (draft) => (draft.unique = "first"),
  "zero-terminated": (draft) => (draft.delimiter = 0),
  csv: (draft) => (draft.record = "csv"),
  ndjson: (draft) => (draft.record = "ndjson"),
  header: (draft) => (draft.header = true),
  verify: (draft) => (draft.options.verify = true),
  durable: (draft) => (draft.options.durable = true),
  progress: (draft) => (draft.progress = true),
  "no-progress": (draft) => (draft.progress = false),
  help: (draft) => (draft.mode = "help"),
  version: (draft) => (draft.mode = "version"),
};

const LETTERS: Readonly<Record<string, string>> = {
  b: "ignore-leading-blanks",
  d: "dictionary-order",
  f: "ignore-case",
  g: "general-numeric-sort",
  h: "human-numeric-sort",
  i: "ignore-nonprinting",
  k: "key",
  m: "merge",
  M: "month-sort",
  n: "numeric-sort",
  o: "output",
  r: "reverse",
  s: "stable",
  S: "buffer-size",
  t: "field-separator",
  T: "temporary-directory",
  u: "unique",
  V: "version-sort",
  z: "zero-terminated",
  c: "check",
};

function readLong(draft: Draft, arg: string, rest: string[]): void {
  const [name = "", ...values] = arg.slice(2).split("=");
  const value = values.length > 0 ? values.join("=") : undefined;
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  const valued = Object.hasOwn(VALUED, name) ? VALUED[name] : undefined;
  if (plain && value === undefined) plain(draft);
  else if (valued) valued(draft, value ?? valueOf(rest, `--${name}`));
  else throw new UsageError(`there is no option --${name}`);
}

/** Letters may be put together; the rest behind one with a value is its value. */
function readShort(draft: Draft, arg: string, rest: string[]): void {
  for (let i = 1; i < arg.length; i++) {
    const letter = arg[i] ?? "";
    if (letter === "C") {
      draft.mode = "check-quietly";
      continue;
    }
    const name = LETTERS[letter] ?? "";
    const isPlain = Object.hasOwn(PLAIN, name);
    if (isPlain) {
      PLAIN[name]?.(draft);
      continue;
    }
    const valued = Object.hasOwn(VALUED, name) ? VALUED[name] : undefined;
    if (!valued) throw new UsageError(`there is no option -${letter}`);
    valued(draft, arg.slice(i + 1) || valueOf(rest, `-${letter}`));
    return;
  }
}

function valueOf(rest: string[], option: string): string {
  const value = rest.shift();
  if (value === undefined) throw new UsageError(`${option} needs a value`);
  return value;
}

function finish(draft: Draft): SortArgs {
  const { inputs, output } = placesOf(draft);
  return {
    mode: draft.mode,
    spec: {
      record: recordOf(draft),
      keys: keysOf(draft),
      reverse: draft.global.reverse ?? false,
      stable: draft.stable,
      ...(draft.unique === undefined ? {} : { unique: draft.unique }),
      ...(draft.top === undefined ? {} : { top: draft.top }),
    },
    inputs,
    output,
    inputCompression: draft.inputCompression,
    outputCompression: draft.outputCompression,
    options: draft.options,
    memoryBytes: draft.memoryBytes,
    tempFolder: draft.tempFolder,
    progress: draft.progress,
  };
}

/** Files are inputs; without any, standard input is. */
function placesOf({ inputs, output }: Draft) {
  return { inputs: inputs.length > 0 ? inputs : ["-"], output };
}

function recordOf(draft: Draft): SortSpec["record"] {
  switch (draft.record) {
    case "lines":
      return { kind: "lines", delimiter: draft.delimiter };
    case "fixed": {
      const [bytes = 0, keyBytes = bytes, keyOffset = 0] = draft.fixed;
      return { kind: "fixed", bytes, keyBytes, keyOffset };
    }
    case "csv":
      return {
        kind: "csv",
        header: draft.header,
        separator: draft.separator ?? ",",
      };
    case "ndjson":
      return { kind: "ndjson" };
  }
}

function keysOf(draft: Draft): SortKey[] {
  const { record, global } = draft;
  if (record === "fixed") return [];
  if (record === "csv") {
    const keys = [...draft.keyDefs, ...draft.valueKeys];
    return keys.map((text) => parseColumnKey(text, global));
  }
  if (record === "ndjson") {
    return draft.valueKeys.map((text) => parsePathKey(text, global));
  }
  if (draft.valueKeys[0] !== undefined) {
    throw new UsageError(
      `${JSON.stringify(draft.valueKeys[0])} is no key of a line: write -k 2,2n, or say --csv or --ndjson`,
    );
  }
  if (draft.keyDefs.length > 0) {
    const separator = draft.separator?.charCodeAt(0);
    return draft.keyDefs.map((text) => parseKeyDef(text, separator, global));
  }
  return wholeLineKey(global);
}

/** Options without a key are for the whole line; plain byte order needs no key at all. */
function wholeLineKey(global: Ordering): LineKey[] {
  const { skipBlanks, reverse: _reverse, ...rules } = global;
  if (Object.keys(rules).length === 0 && !skipBlanks) return [];
  const start = { field: 1, character: 1, skipBlanks: skipBlanks ?? false };
  return [{ kind: "field", start, ...rules }];
}

function readSortWord(draft: Draft, word: string): void {
  const option = `${word}${word.endsWith("-sort") ? "" : word === "general-numeric" || word === "human-numeric" || word === "month" || word === "numeric" || word === "version" ? "-sort" : ""}`;
  const plain = Object.hasOwn(PLAIN, option) ? PLAIN[option] : undefined;
  if (!plain) throw new UsageError(`--sort=${word} is not one of its words`);
  plain(draft);
}

function one(text: string): string {
  const character = text === "\\0" ? "\0" : text;
  // Order is by bytes, so é is two characters: GNU sort refuses it too in the C locale.
  const bytes = Buffer.byteLength(character);
  if (bytes !== 1) {
    throw new UsageError(
      `a field separator is one byte, and ${JSON.stringify(text)} has ${bytes}`,
    );
  }
  return character;
}

function whole(text: string): number {
  if (!/^[0-9]+$/.test(text)) {
    throw new UsageError(`${JSON.stringify(text)} is not a whole number`);
  }
  return Number(text);
}

function compression(text: string): Compression {
  if (text === "gzip" || text === "zstd" || text === "none") return text;
  throw new UsageError(`${text} is neither gzip, zstd nor none`);
}

function kernel(text: string): "auto" | "wasm" | "typescript" {
  if (text === "auto" || text === "wasm" || text === "typescript") return text;
  throw new UsageError(`${text} is neither auto, wasm nor typescript`);
}
