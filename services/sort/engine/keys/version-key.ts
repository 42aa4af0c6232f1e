import type { KeyWriter, Span } from "./key-writer.ts";
import { isDigit, isLetter } from "./text-key.ts";

// -V orders as GNU's filevercmp does: https://www.gnu.org/software/coreutils/manual/html_node/Version-sort-ordering-rules.html
const DOT = 46;
const TILDE = 126;
const ZERO = 48;

// What a key begins with: "" before "." before ".." before other hidden names before the rest.
const EMPTY = 0;
const SELF = 1;
const PARENT = 2;
const HIDDEN = 3;
const OTHER = 4;

// Of the parts without digits: ~ comes before the end, the end before letters, letters before all else.
const CODE_TILDE = 1;
const CODE_END = 2;
const CODE_OTHER = 200;

/** The name without its suffix, then all of it: the suffix only decides between equal ones. */
export function putVersion(
  writer: KeyWriter,
  span: Span,
  foldCase: boolean,
): void {
  const kind = kindOf(span);
  writer.put(kind);
  if (kind < HIDDEN) return;
  const { from } = span;
  putParts(writer, { ...span, to: from + prefixLength(span) }, foldCase);
  putParts(writer, span, foldCase);
}

function kindOf({ view, from, to }: Span): number {
  if (from === to) return EMPTY;
  if (view.getUint8(from) !== DOT) return OTHER;
  if (to - from === 1) return SELF;
  if (to - from === 2 && view.getUint8(from + 1) === DOT) return PARENT;
  return HIDDEN;
}

/** All but the suffix: (\.[A-Za-z~][A-Za-z0-9~]*)* at the end. */
function prefixLength({ view, from, to }: Span): number {
  const length = to - from;
  const at = (i: number) => view.getUint8(from + i);
  let i = 0;
  for (;;) {
    const prefix = i;
    while (i + 1 < length && at(i) === DOT && isSuffixStart(at(i + 1))) {
      i += 2;
      while (i < length && (isSuffixStart(at(i)) || isDigit(at(i)))) i++;
    }
    if (i === length) return prefix;
    i++;
  }
}

function isSuffixStart(byte: number): boolean {
  return isLetter(byte) || byte === TILDE;
}

/** By turns what has no digits, and a number: its length and its digits. Behind the last number comes the end's code. */
function putParts(
  writer: KeyWriter,
  { view, from, to }: Span,
  foldCase: boolean,
): void {
  let at = from;
  do {
    while (at < to && !isDigit(view.getUint8(at))) {
      putCharacter(writer, view.getUint8(at++), foldCase);
    }
    writer.put(CODE_END);
    while (at < to && view.getUint8(at) === ZERO) at++;
    const first = at;
    while (at < to && isDigit(view.getUint8(at))) at++;
    writer.putU32(at - first);
    for (let i = first; i < at; i++) writer.put(view.getUint8(i));
  } while (at < to);
  writer.put(CODE_END);
}

function putCharacter(
  writer: KeyWriter,
  byte: number,
  foldCase: boolean,
): void {
  if (byte === TILDE) {
    writer.put(CODE_TILDE);
  } else if (isLetter(byte)) {
    writer.put(foldCase ? byte & ~32 : byte);
  } else {
    writer.put(CODE_OTHER);
    writer.put(byte);
  }
}
