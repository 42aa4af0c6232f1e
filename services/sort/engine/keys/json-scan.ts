import type { Span } from "./key-writer.ts";

/** A step of a path: an object's member or an array's element. */
export type PathStep =
  { readonly name: Uint8Array } | { readonly index: number };

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** The text is not JSON as far as it was read. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
}

/** `a.b[2]` as steps; undefined where it is no path. */
export function parsePath(path: string): PathStep[] | undefined {
  const steps: PathStep[] = [];
  const pattern = /\.?([^.[\]]+)|\[(\d+)\]/gy;
  while (pattern.lastIndex < path.length) {
    const match = pattern.exec(path);
    if (!match) return undefined;
    const [, name, index] = match;
    steps.push(
      name === undefined
        ? { index: Number(index) }
        : { name: Buffer.from(name) },
    );
  }
  return steps;
}

/**
 * The value at a path, found without reading more than is needed: what lies behind it is not looked at. Of several
 * members of one name the first counts. Undefined where there is none, or where it is null.
 */
export function findValue(
  text: Span,
  steps: readonly PathStep[],
): Span | undefined {
  const { view, to } = text;
  let at = skipSpace(view, text.from, to);
  for (const step of steps) {
    const found =
      "name" in step
        ? findMember(view, at, to, step.name)
        : findElement(view, at, to, step.index);
    if (found < 0) return undefined;
    at = found;
  }
  const end = skipValue(view, at, to);
  return view.getUint8(at) === 110 ? undefined : { view, from: at, to: end };
}

/** Where a member's value begins; -1 where there is no object or no such member. */
function findMember(
  view: DataView,
  from: number,
  to: number,
  name: Uint8Array,
): number {
  if (byteAt(view, from, to) !== OPEN_OBJECT) return -1;
  let at = skipSpace(view, from + 1, to);
  while (byteAt(view, at, to) !== CLOSE_OBJECT) {
    const end = skipString(view, at, to);
    const isWanted = isName(view, at + 1, end - 1, name);
    at = skipSpace(view, end, to);
    if (byteAt(view, at, to) !== COLON)
      throw new JsonFault("a colon is missing");
    at = skipSpace(view, at + 1, to);
    if (isWanted) return at;
    at = skipSeparator(view, skipValue(view, at, to), to, CLOSE_OBJECT);
  }
  return -1;
}

function findElement(
  view: DataView,
  from: number,
  to: number,
  index: number,
): number {
  if (byteAt(view, from, to) !== OPEN_ARRAY) return -1;
  let at = skipSpace(view, from + 1, to);
  for (let i = 0; byteAt(view, at, to) !== CLOSE_ARRAY; i++) {
    if (i === index) return at;
    at = skipSeparator(view, skipValue(view, at, to), to, CLOSE_ARRAY);
  }
  return -1;
}

function skipSeparator(
  view: DataView,
  from: number,
  to: number,
  close: number,
): number {
  const at = skipSpace(view, from, to);
  const byte = byteAt(view, at, to);
  if (byte === close) return at;
  if (byte !== COMMA) throw new JsonFault("a comma is missing");
  return skipSpace(view, at + 1, to);
}

/** Strings and brackets are followed; whether numbers and words are right is not looked at. */
function skipValue(view: DataView, from: number, to: number): number {
  const first = byteAt(view, from, to);
  if (first === QUOTE) return skipString(view, from, to);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    return skipScalar(view, from, to);
  }
  let depth = 0;
  for (let at = from; at < to; at++) {
    const byte = view.getUint8(at);
    if (byte === QUOTE) at = skipString(view, at, to) - 1;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
    if (depth === 0) return at + 1;
  }
  throw new JsonFault("a bracket is not closed");
}

function skipScalar(view: DataView, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = view.getUint8(at);
    const isEnd = byte === COMMA || byte === CLOSE_OBJECT || byte <= 32;
    if (isEnd || byte === CLOSE_ARRAY) break;
    at++;
  }
  if (at === from) throw new JsonFault("a value is missing");
  return at;
}

/** Behind the closing quote. */
function skipString(view: DataView, from: number, to: number): number {
  if (byteAt(view, from, to) !== QUOTE)
    throw new JsonFault("a name is missing");
  for (let at = from + 1; at < to; at++) {
    const byte = view.getUint8(at);
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  throw new JsonFault("a string is not closed");
}

function isName(
  view: DataView,
  from: number,
  to: number,
  name: Uint8Array,
): boolean {
  let isEscaped = false;
  for (let at = from; at < to && !isEscaped; at++) {
    isEscaped = view.getUint8(at) === BACKSLASH;
  }
  if (isEscaped) {
    const text = decodeString({ view, from: from - 1, to: to + 1 });
    return Buffer.from(text).equals(name);
  }
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (view.getUint8(from + i) !== name[i]) return false;
  }
  return true;
}

/** A string with its quotes, as text. */
export function decodeString({ view, from, to }: Span): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, to - from);
  try {
    // A JSON text that begins with a quote is a string.
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as string;
  } catch (error) {
    throw new JsonFault("a string is not well-formed", { cause: error });
  }
}

function byteAt(view: DataView, at: number, to: number): number {
  if (at >= to) throw new JsonFault("the line ends too early");
  return view.getUint8(at);
}

function skipSpace(view: DataView, from: number, to: number): number {
  let at = from;
  while (at < to && isSpace(view.getUint8(at))) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13 || byte === 10;
}
