import { readDecimal } from "./decimal.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { putDecimal, skipBlanks } from "./number-key.ts";

/** In order; k counts as K. */
const UNITS = "KMGTPEZYRQ";

/** -h: first the sign and the unit, then the number. The unit of a zero does not count. */
export function putHumanSize(writer: KeyWriter, span: Span): void {
  const from = skipBlanks(span);
  const number = readDecimal({ ...span, from });
  const isZero = number.first === number.last;
  const unit = isZero ? 0 : unitAt(span, number.end);
  writer.put(128 + (number.isNegative ? -unit : unit));
  putDecimal(writer, span);
}

function unitAt({ view, to }: Span, at: number): number {
  if (at >= to) return 0;
  const byte = view.getUint8(at);
  const letter = byte === 107 ? "K" : String.fromCharCode(byte);
  return UNITS.indexOf(letter) + 1;
}

const MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";

/** -M: 1 to 12 for the English names' first three letters, 0 for all else. */
export function putMonth(writer: KeyWriter, span: Span): void {
  const from = skipBlanks(span);
  let name = "";
  for (let at = from; at < Math.min(from + 3, span.to); at++) {
    name += String.fromCharCode(span.view.getUint8(at));
  }
  const at = name.length === 3 ? MONTHS.indexOf(name.toUpperCase()) : -1;
  writer.put(at >= 0 && at % 3 === 0 ? at / 3 + 1 : 0);
}
