import { readDecimal, skipDigits, type Decimal } from "./decimal.ts";
import type { KeyWriter, Span } from "./key-writer.ts";
import { isBlank } from "./text-key.ts";

// The first byte of a number, in order.
const NO_NUMBER = 0x10;
const NOT_A_NUMBER = 0x20;
const MINUS_INFINITY = 0x30;
const NEGATIVE = 0x7f;
const ZERO = 0x80;
const POSITIVE = 0x81;
const INFINITY = 0xd0;

const POINT = 46;
/** Exponents nearer to 0 take one byte. */
const NEAR = 60;

/** The decimal at a span's start, after blanks (-n); without one it is 0. */
export function putDecimal(writer: KeyWriter, span: Span): void {
  const from = skipBlanks(span);
  putValue(writer, span.view, readDecimal({ ...span, from }), 0);
}

function putValue(
  writer: KeyWriter,
  view: DataView,
  decimal: Decimal,
  power: number,
): void {
  const { isNegative, first, last, exponent } = decimal;
  if (first === last) {
    writer.put(ZERO);
    return;
  }
  writer.put(isNegative ? NEGATIVE : POSITIVE);
  if (isNegative) writer.invert();
  putExponent(writer, exponent + power);
  putDigits(writer, view, first, last);
  if (isNegative) writer.invert();
}

function putExponent(writer: KeyWriter, exponent: number): void {
  if (Math.abs(exponent) <= NEAR) {
    writer.put(0x80 + exponent);
    return;
  }
  writer.put(exponent > 0 ? 0xff : 0x01);
  const clamped = Math.max(-0x7fff_ffff, Math.min(0x7fff_ffff, exponent));
  writer.putU32(clamped + 0x8000_0000);
}

/** Two digits a byte, 1 to 100; 0 ends them. */
function putDigits(
  writer: KeyWriter,
  view: DataView,
  first: number,
  last: number,
): void {
  let tens = -1;
  for (let at = first; at < last; at++) {
    const byte = view.getUint8(at);
    if (byte === POINT) continue;
    if (tens < 0) {
      tens = byte - 48;
    } else {
      writer.put(tens * 10 + byte - 48 + 1);
      tens = -1;
    }
  }
  if (tens >= 0) writer.put(tens * 10 + 1);
  writer.put(0);
}

/** -g: signs, exponents, infinities and NaN too; what is no number comes first. */
export function putGeneral(writer: KeyWriter, span: Span): void {
  const from = skipSpace(span);
  const { view, to } = span;
  const isSigned = from < to && isSign(view.getUint8(from));
  const isNegative = isSigned && view.getUint8(from) === 45;
  const start = from + Number(isSigned);
  const word = wordAt(view, start, to);
  if (word === "inf" || word === "nan") {
    const infinity = isNegative ? MINUS_INFINITY : INFINITY;
    writer.put(word === "nan" ? NOT_A_NUMBER : infinity);
    return;
  }
  const hexadecimal = readHexadecimal(view, start, to);
  if (hexadecimal !== undefined) {
    putNumber(writer, isNegative ? -hexadecimal : hexadecimal);
    return;
  }
  const isDoubleSign = start < to && view.getUint8(start) === 45;
  const decimal = readDecimal({ view, from: start, to });
  if (!decimal.isNumber || isDoubleSign) {
    writer.put(NO_NUMBER);
    return;
  }
  const { power } = readPower(view, decimal.end, to);
  putValue(writer, view, { ...decimal, isNegative }, power);
}

/** A number that must fill the whole span, as in JSON or a typed column; false where it does not. */
export function putStrictNumber(writer: KeyWriter, span: Span): boolean {
  const { view, to } = span;
  const from = skipBlanks(span);
  const isPlus = from < to && view.getUint8(from) === 43;
  const decimal = readDecimal({ view, from: from + Number(isPlus), to });
  const { power, end } = readPower(view, decimal.end, to);
  const isWhole = skipBlanks({ view, from: end, to }) === to;
  if (!decimal.isNumber || !isWhole) return false;
  putValue(writer, view, decimal, power);
  return true;
}

function putNumber(writer: KeyWriter, value: number): void {
  const text = Buffer.from(String(value));
  const view = new DataView(text.buffer, text.byteOffset, text.length);
  putGeneral(writer, { view, from: 0, to: text.length });
}

function readPower(
  view: DataView,
  at: number,
  to: number,
): { power: number; end: number } {
  const none = { power: 0, end: at };
  if (at >= to || (view.getUint8(at) | 32) !== 101) return none;
  const isSigned = at + 1 < to && isSign(view.getUint8(at + 1));
  const isNegative = isSigned && view.getUint8(at + 1) === 45;
  const start = at + 1 + Number(isSigned);
  const end = skipDigits(view, start, to);
  if (end === start) return none;
  let power = 0;
  for (let i = start; i < end && power < 1e9; i++) {
    power = power * 10 + view.getUint8(i) - 48;
  }
  return { power: isNegative ? -power : power, end };
}

function readHexadecimal(
  view: DataView,
  from: number,
  to: number,
): number | undefined {
  if (from + 2 >= to || view.getUint8(from) !== 48) return undefined;
  if ((view.getUint8(from + 1) | 32) !== 120) return undefined;
  let text = "";
  for (let at = from; at < Math.min(to, from + 64); at++) {
    text += String.fromCharCode(view.getUint8(at));
  }
  const match = /^0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]+))?/i.exec(
    text,
  );
  const [, whole = "", fraction = "", power = "0"] = match ?? [];
  if (whole + fraction === "") return undefined;
  const digits = Number.parseInt(whole + fraction, 16);
  return digits * 2 ** (Number(power) - 4 * fraction.length);
}

function wordAt(view: DataView, from: number, to: number): string {
  let word = "";
  for (let at = from; at < Math.min(to, from + 3); at++) {
    word += String.fromCharCode(view.getUint8(at) | 32);
  }
  return word;
}

function isSign(byte: number): boolean {
  return byte === 43 || byte === 45;
}

export function skipBlanks({ view, from, to }: Span): number {
  let at = from;
  while (at < to && isBlank(view.getUint8(at))) at++;
  return at;
}

/** What C's isspace takes. */
function skipSpace({ view, from, to }: Span): number {
  let at = from;
  while (at < to && isSpace(view.getUint8(at))) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}
