// A decimal as GNU's `sort -n` reads it: blanks, a minus, digits, a point, digits; what follows does not count.
let negative: bool = false;
/** Digits before the point, or minus the zeros after it when there are none; 0 with `digits` 0 is zero. */
let exponent: i32 = 0;
/** The first digit that is not 0, and the byte after the last digit. */
let first: u32 = 0;
let last: u32 = 0;
/** Where the point is, when it lies between them. */
let point: u32 = 0;

const MOST_DIGITS: u32 = 15;
const LEAST_EXPONENT: i32 = -509;
const MOST_EXPONENT: i32 = 510;
const POSITIVE: u64 = 1 << 63;
const LANES = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
const TENS = i16x8(10, 1, 10, 1, 10, 1, 10, 1);
const HUNDREDS = i16x8(100, 1, 100, 1, 100, 1, 100, 1);

function isDigit(byte: u32): bool {
  return byte - 48 < 10;
}

function read(start: u32, length: u32): void {
  let at = start;
  const end = start + length;
  while (at < end && isBlank(load<u8>(at))) at++;
  negative = at < end && load<u8>(at) === 45;
  if (negative) at++;
  while (at < end && load<u8>(at) === 48) at++;
  first = at;
  while (at < end && isDigit(load<u8>(at))) at++;
  exponent = <i32>(at - first);
  point = at;
  last = at;
  if (at < end && load<u8>(at) === 46) {
    at++;
    if (exponent === 0) {
      const zeros = at;
      while (at < end && load<u8>(at) === 48) at++;
      exponent = -(<i32>(at - zeros));
      first = at;
      point = 0;
    }
    while (at < end && isDigit(load<u8>(at))) at++;
    last = at;
  }
  while (
    last > first &&
    (load<u8>(last - 1) === 48 || load<u8>(last - 1) === 46)
  ) {
    // Zeros before the point count.
    if (point !== 0 && last <= point) break;
    last--;
  }
  if (first === last) {
    negative = false;
    exponent = 0;
  }
}

function isBlank(byte: u32): bool {
  return byte === 32 || byte === 9 || byte === 10;
}

/**
 * Whether every decimal since `startNumbers` was written in the one plain way: those with equal values are then equal
 * in their bytes too, and no last resort need tell them apart.
 */
export let isPlain: bool = true;

export function startNumbers(): void {
  isPlain = true;
}

/**
 * Sign, exponent and 15 digits as a number whose order is the decimals'. The lowest bit of its size says that it does
 * not tell all.
 */
export function numericPrefix(start: u32, length: u32): u64 {
  const minus: u32 = load<u8>(start) === 45 ? 1 : 0;
  const digits = length - minus;
  // A line of nothing else is most common: 1 to 31 digits, without zeros before them, are read 16 at a time.
  if (length > minus && digits < 32 && load<u8>(start + minus) !== 48) {
    const at = start + minus;
    const head = i8x16.sub(v128.load(at), i8x16.splat(48));
    const tail = i8x16.sub(v128.load(at, 16), i8x16.splat(48));
    const others =
      (<u32>i8x16.bitmask(i8x16.gt_u(head, i8x16.splat(9)))) |
      ((<u32>i8x16.bitmask(i8x16.gt_u(tail, i8x16.splat(9)))) << 16);
    if (<u32>ctz(others) >= digits) {
      const size =
        ((<u64>(digits + 512)) << 51) | plainMantissa(head, tail, digits);
      return minus ? ~(POSITIVE | size) : POSITIVE | size;
    }
  }
  return anyPrefix(start, length);
}

/** Of digits from 0 to 9 in the lanes, of which the first `count` belong to the number. */
function plainMantissa(head: v128, tail: v128, count: u32): u64 {
  const bytes = v128.and(
    head,
    i8x16.lt_u(LANES, i8x16.splat(<u8>min(count, 16))),
  );
  const pairs = i16x8.narrow_i32x4_s(
    i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(bytes), TENS),
    i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(bytes), TENS),
  );
  const fours = i32x4.dot_i16x8_s(pairs, HUNDREDS);
  const end = <u32>i32x4.extract_lane(fours, 3);
  const digits =
    <u64>(<u32>i32x4.extract_lane(fours, 0)) * 100_000_000_000 +
    <u64>(<u32>i32x4.extract_lane(fours, 1)) * 10_000_000 +
    <u64>(<u32>i32x4.extract_lane(fours, 2)) * 1_000 +
    <u64>(end / 10);
  if (count < 16) return digits << 1;
  const rest = v128.and(tail, i8x16.lt_u(LANES, i8x16.splat(<u8>(count - 16))));
  return (digits << 1) | (end % 10 !== 0 || v128.any_true(rest) ? 1 : 0);
}

/** Of a decimal written in any way. */
function anyPrefix(start: u32, length: u32): u64 {
  if (length === 1 && load<u8>(start) === 48) {
    return POSITIVE;
  }
  isPlain = false;
  read(start, length);
  if (first === last) {
    return POSITIVE;
  }
  let size: u64;
  if (exponent > MOST_EXPONENT) {
    size = ((<u64>1023) << 51) | 1;
  } else if (exponent < LEAST_EXPONENT) {
    size = ((<u64>1) << 51) | 1;
  } else {
    size = ((<u64>(exponent + 512)) << 51) | mantissa();
  }
  return negative ? ~(POSITIVE | size) : POSITIVE | size;
}

function mantissa(): u64 {
  let digits: u64 = 0;
  let count: u32 = 0;
  let at = first;
  while (at < last && count < MOST_DIGITS) {
    const byte = <u32>load<u8>(at++);
    if (byte !== 46) {
      digits = digits * 10 + (byte - 48);
      count++;
    }
  }
  while (count < MOST_DIGITS) {
    digits *= 10;
    count++;
  }
  while (at < last) {
    const byte = <u32>load<u8>(at++);
    if (byte !== 48 && byte !== 46) return (digits << 1) | 1;
  }
  return digits << 1;
}

/** Whether equal prefixes mean equal decimals; `prefix` is as `numericPrefix` gave it. */
export function isExact(prefix: u64): bool {
  return (prefix >> 63 !== 0 ? prefix & 1 : ~prefix & 1) === 0;
}

export function compareDecimals(
  a: u32,
  aLength: u32,
  b: u32,
  bLength: u32,
): i32 {
  read(a, aLength);
  const aNegative = negative;
  const aExponent = exponent;
  const aLast = last;
  let aAt = first;
  read(b, bLength);
  let bAt = first;
  if (aAt === aLast || bAt === last) {
    const aSign = aAt === aLast ? 0 : aNegative ? -1 : 1;
    const bSign = bAt === last ? 0 : negative ? -1 : 1;
    return aSign - bSign;
  }
  if (aNegative !== negative) {
    return aNegative ? -1 : 1;
  }
  const larger = aNegative ? -1 : 1;
  if (aExponent !== exponent) {
    return aExponent > exponent ? larger : -larger;
  }
  while (aAt < aLast || bAt < last) {
    if (aAt < aLast && load<u8>(aAt) === 46) aAt++;
    if (bAt < last && load<u8>(bAt) === 46) bAt++;
    const aDigit: i32 = aAt < aLast ? load<u8>(aAt) : 48;
    const bDigit: i32 = bAt < last ? load<u8>(bAt) : 48;
    if (aDigit !== bDigit) return aDigit > bDigit ? larger : -larger;
    aAt++;
    bAt++;
  }
  return 0;
}
