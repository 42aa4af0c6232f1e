import { findByte } from "../kernel/typescript/bytes.ts";
import type { KeyWriter, Span } from "./key-writer.ts";

export interface TextRule {
  readonly foldCase: boolean;
  readonly dictionary: boolean;
  readonly printable: boolean;
  /** Nothing follows and nothing is turned round, so the end needs no mark. */
  readonly isLast: boolean;
}

/** Bytes in their order: 0 becomes 0 255, and 0 0 ends the text. */
export function putText(writer: KeyWriter, text: Span, rule: TextRule): void {
  const { view, from, to } = text;
  const isFiltered = rule.dictionary || rule.printable;
  const isVerbatim =
    !isFiltered &&
    !rule.foldCase &&
    (rule.isLast || findByte(view, 0, from, to) === to);
  if (isVerbatim) writer.putAll(text);
  else putChosen(writer, text, rule, isFiltered);
  if (!rule.isLast) {
    writer.put(0);
    writer.put(0);
  }
}

function putChosen(
  writer: KeyWriter,
  { view, from, to }: Span,
  rule: TextRule,
  isFiltered: boolean,
): void {
  for (let at = from; at < to; at++) {
    const byte = view.getUint8(at);
    if (isFiltered && !counts(byte, rule)) continue;
    const folded =
      rule.foldCase && byte >= 97 && byte <= 122 ? byte - 32 : byte;
    writer.put(folded);
    if (folded === 0 && !rule.isLast) writer.put(255);
  }
}

/** As with GNU sort, `dictionary` decides alone where both are asked for: a tab counts then, which is not printable. */
function counts(byte: number, { dictionary }: TextRule): boolean {
  if (!dictionary) return byte >= 32 && byte <= 126;
  return isBlank(byte) || isDigit(byte) || isLetter(byte);
}

/** What GNU sort takes for a blank in the C locale. */
export function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 10;
}

export function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

export function isLetter(byte: number): boolean {
  const lower = byte | 32;
  return lower >= 97 && lower <= 122;
}
