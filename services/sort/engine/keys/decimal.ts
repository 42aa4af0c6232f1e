import type { Span } from "./key-writer.ts";
import { isDigit } from "./text-key.ts";

/** A decimal in a span: its digits from `first` up to `last`, a point among them, and where the point belongs. */
export interface Decimal {
  readonly isNegative: boolean;
  /** Equal to `last` for zero. */
  readonly first: number;
  readonly last: number;
  /** The value is 0.DIGITS times ten to this. */
  readonly exponent: number;
  /** Behind all that was read. */
  readonly end: number;
  /** There was at least one digit. */
  readonly isNumber: boolean;
}

const POINT = 46;
const ZERO = 48;

/** Reads digits with a point, after an optional minus, as `sort -n` does. */
export function readDecimal({ view, from, to }: Span): Decimal {
  const isNegative = from < to && view.getUint8(from) === 45;
  const start = isNegative ? from + 1 : from;
  let first = skipZeros(view, start, to);
  const point = skipDigits(view, first, to);
  let exponent = point - first;
  let isNumber = point > start;
  let end = point;
  let last = point;
  if (point < to && view.getUint8(point) === POINT) {
    end = skipDigits(view, point + 1, to);
    isNumber ||= end > point + 1;
    if (exponent === 0) {
      first = skipZeros(view, point + 1, end);
      exponent = point + 1 - first;
    }
    last = end;
    while (last > point + 1 && view.getUint8(last - 1) === ZERO) last--;
    if (last === point + 1) last = point;
    last = Math.max(first, last);
  }
  return { isNegative, first, last, exponent, end, isNumber };
}

function skipZeros(view: DataView, at: number, to: number): number {
  while (at < to && view.getUint8(at) === ZERO) at++;
  return at;
}

export function skipDigits(view: DataView, at: number, to: number): number {
  while (at < to && isDigit(view.getUint8(at))) at++;
  return at;
}
