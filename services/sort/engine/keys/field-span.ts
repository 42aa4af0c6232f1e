import type { LineKey } from "../sort-spec.ts";
import type { Span } from "./key-writer.ts";
import { isBlank } from "./text-key.ts";

/** The part of a line that a key names, by the rules of GNU sort's `-k`. */
export function fieldSpan(line: Span, key: LineKey): Span {
  const from = startOf(line, key);
  return { view: line.view, from, to: Math.max(from, endOf(line, key)) };
}

function startOf(line: Span, { start, separator }: LineKey): number {
  let at = line.from;
  for (let i = 1; i < start.field && at < line.to; i++) {
    at = skipField(line, at, separator);
    if (separator !== undefined && at < line.to) at++;
  }
  if (start.skipBlanks) at = skipBlanks(line, at);
  return Math.min(line.to, at + start.character - 1);
}

function endOf(line: Span, { end, separator }: LineKey): number {
  if (end === undefined) return line.to;
  const isWhole = end.character === 0;
  let left = isWhole ? end.field : end.field - 1;
  let at = line.from;
  while (at < line.to && left > 0) {
    left--;
    at = skipField(line, at, separator);
    const isInside = left > 0 || !isWhole;
    if (separator !== undefined && at < line.to && isInside) at++;
  }
  if (isWhole) return at;
  if (end.skipBlanks) at = skipBlanks(line, at);
  return Math.min(line.to, at + end.character);
}

/** To the separator; without one, over blanks and then what is none. */
function skipField(
  line: Span,
  from: number,
  separator: number | undefined,
): number {
  const { view, to } = line;
  let at = from;
  if (separator !== undefined) {
    while (at < to && view.getUint8(at) !== separator) at++;
    return at;
  }
  at = skipBlanks(line, at);
  while (at < to && !isBlank(view.getUint8(at))) at++;
  return at;
}

function skipBlanks({ view, to }: Span, from: number): number {
  let at = from;
  while (at < to && isBlank(view.getUint8(at))) at++;
  return at;
}
