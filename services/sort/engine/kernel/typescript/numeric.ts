/** A decimal as GNU's `sort -n` reads it; see `../assembly/numeric.ts`. Equal `first` and `last` mean zero. */
interface Decimal {
  negative: boolean;
  exponent: number;
  first: number;
  last: number;
}

const MOST_DIGITS = 15;
const LEAST_EXPONENT = -509;
const MOST_EXPONENT = 510;
const POINT = 46;
const ZERO = 48;

// Scratch of the comparisons below, which never nest: two objects a comparison would cost more than the comparison.
const left: Decimal = { negative: false, exponent: 0, first: 0, last: 0 };
const right: Decimal = { negative: false, exponent: 0, first: 0, last: 0 };

function readDecimal(
  view: DataView,
  start: number,
  length: number,
  into: Decimal,
): void {
  const end = start + length;
  let at = skipBlanks(view, start, end);
  into.negative = at < end && view.getUint8(at) === 45;
  if (into.negative) at++;
  into.first = skipZeros(view, at, end);
  at = skipDigits(view, into.first, end);
  into.exponent = at - into.first;
  const point = at;
  into.last = at;
  if (at < end && view.getUint8(at) === POINT) {
    at++;
    if (into.exponent === 0) {
      into.first = skipZeros(view, at, end);
      into.exponent = at - into.first;
      at = into.first;
    }
    into.last = trimZeros(view, skipDigits(view, at, end), point);
    into.last = Math.max(into.last, into.first);
  }
  if (into.first === into.last) {
    into.negative = false;
    into.exponent = 0;
  }
}

function skipBlanks(view: DataView, at: number, end: number): number {
  while (at < end) {
    const byte = view.getUint8(at);
    if (byte !== 32 && byte !== 9 && byte !== 10) break;
    at++;
  }
  return at;
}

function skipZeros(view: DataView, at: number, end: number): number {
  while (at < end && view.getUint8(at) === ZERO) at++;
  return at;
}

function skipDigits(view: DataView, at: number, end: number): number {
  while (at < end && isDigit(view.getUint8(at))) at++;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** Zeros at the end of a fraction do not count, nor a point without one. */
function trimZeros(view: DataView, last: number, point: number): number {
  while (last > point + 1 && view.getUint8(last - 1) === ZERO) last--;
  return last === point + 1 ? point : last;
}

/** Sign, exponent and 15 digits; see `../assembly/numeric.ts`. `flip` is -1 or 0. */
export function putNumericPrefix(
  view: DataView,
  target: number,
  start: number,
  length: number,
  flip: number,
): void {
  readDecimal(view, start, length, left);
  const isZero = left.first === left.last;
  let high = 0;
  let low = 0;
  if (left.exponent > MOST_EXPONENT || left.exponent < LEAST_EXPONENT) {
    high = (left.exponent > 0 ? 1023 : 1) << 19;
    low = 1;
  } else if (!isZero) {
    const doubled = doubledMantissa(view, left);
    high = ((left.exponent + 512) << 19) | Math.floor(doubled / 0x1_0000_0000);
    low = doubled | 0;
  }
  const turned = left.negative ? ~flip : flip;
  view.setInt32(target, low ^ turned, true);
  view.setInt32(target + 4, (high | 0x8000_0000) ^ turned, true);
}

function doubledMantissa(view: DataView, { first, last }: Decimal): number {
  let digits = 0;
  let count = 0;
  let at = first;
  while (at < last && count < MOST_DIGITS) {
    const byte = view.getUint8(at++);
    if (byte !== POINT) {
      digits = digits * 10 + (byte - ZERO);
      count++;
    }
  }
  for (; count < MOST_DIGITS; count++) digits *= 10;
  while (at < last) {
    const byte = view.getUint8(at++);
    if (byte !== ZERO && byte !== POINT) return digits * 2 + 1;
  }
  return digits * 2;
}

/** Whether equal prefixes mean equal decimals. */
export function isExact(high: number, low: number): boolean {
  return (high >>> 31 !== 0 ? low & 1 : ~low & 1) === 0;
}

export function compareDecimals(
  view: DataView,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  readDecimal(view, a, aLength, left);
  readDecimal(view, b, bLength, right);
  const sign = signOf(left) - signOf(right);
  if (sign !== 0 || left.first === left.last) return sign;
  const larger = left.negative ? -1 : 1;
  if (left.exponent !== right.exponent) {
    return left.exponent > right.exponent ? larger : -larger;
  }
  return larger * compareDigits(view);
}

function signOf({ first, last, negative }: Decimal): number {
  return first === last ? 0 : negative ? -1 : 1;
}

function compareDigits(view: DataView): number {
  let a = left.first;
  let b = right.first;
  while (a < left.last || b < right.last) {
    if (a < left.last && view.getUint8(a) === POINT) a++;
    if (b < right.last && view.getUint8(b) === POINT) b++;
    const difference =
      (a < left.last ? view.getUint8(a) : ZERO) -
      (b < right.last ? view.getUint8(b) : ZERO);
    if (difference !== 0) return difference;
    a++;
    b++;
  }
  return 0;
}
