import { bytesPrefix, compareBytes } from "./bytes";
import { compareDecimals, isExact, numericPrefix } from "./numeric";
import {
  FIXED,
  flip,
  KEYED,
  keyBytes,
  keyOffset,
  layout,
  NUMERIC,
  TIE_NONE,
  TIE_REVERSED,
  tie,
} from "./order";

/** What a key of bytes is compared by, and what the last resort is. */
export const BY_KEY: u32 = 0;
export const BY_RECORD: u32 = 1;

export function byteStart(record: u32, by: u32): u32 {
  if (layout === KEYED) {
    return by === BY_KEY ? record + 8 : record + 8 + load<u32>(record);
  }
  return layout === FIXED && by === BY_KEY ? record + keyOffset : record;
}

export function byteLength(record: u32, length: u32, by: u32): u32 {
  if (layout === KEYED) {
    // The delimiter is no part of the last resort: a tab comes before it.
    return by === BY_KEY ? load<u32>(record) : load<u32>(record + 4) - 1;
  }
  return layout === FIXED && by === BY_KEY ? keyBytes : length;
}

export function flipOf(by: u32): u64 {
  return by === BY_KEY ? flip : tie === TIE_REVERSED ? ~(<u64>0) : 0;
}

/** A record's first 8 bytes of order: lower is first, equal ones need `compareRecords` unless `tellsAll`. */
export function prefixOf(record: u32, length: u32): u64 {
  const prefix =
    layout === NUMERIC
      ? numericPrefix(record, length)
      : bytesPrefix(
          byteStart(record, BY_KEY),
          byteLength(record, length, BY_KEY),
        );
  return prefix ^ flip;
}

/** The order of a key's bytes behind the first 7; 0 of a decimal. */
export function nextPrefixOf(record: u32, length: u32): u64 {
  if (layout === NUMERIC) return 0;
  const bytes = byteLength(record, length, BY_KEY);
  const prefix =
    bytes > 7 ? bytesPrefix(byteStart(record, BY_KEY) + 7, bytes - 7) : 0;
  return prefix ^ flip;
}

/** Whether records with this prefix have equal keys. */
export function tellsAll(prefix: u64): bool {
  const plain = prefix ^ flip;
  return layout === NUMERIC ? isExact(plain) : (plain & 0xff) !== 8;
}

export function compareKeys(a: u32, aLength: u32, b: u32, bLength: u32): i32 {
  const difference =
    layout === NUMERIC
      ? compareDecimals(a, aLength, b, bLength)
      : compareBy(a, aLength, b, bLength, BY_KEY);
  return flip !== 0 ? -difference : difference;
}

export function compareRecords(
  a: u32,
  aLength: u32,
  b: u32,
  bLength: u32,
): i32 {
  const difference = compareKeys(a, aLength, b, bLength);
  if (difference !== 0 || tie === TIE_NONE) {
    return difference;
  }
  const bytes = compareBy(a, aLength, b, bLength, BY_RECORD);
  return tie === TIE_REVERSED ? -bytes : bytes;
}

/** Of records whose prefixes and next prefixes are the same: keys that those tell in full are not read again. */
export function compareSamePrefixes(
  prefix: u64,
  next: u64,
  a: u32,
  aLength: u32,
  b: u32,
  bLength: u32,
): i32 {
  if (!tellsAll(prefix) && (layout === NUMERIC || !tellsAll(next))) {
    return compareRecords(a, aLength, b, bLength);
  }
  if (tie === TIE_NONE) {
    return 0;
  }
  const bytes = compareBy(a, aLength, b, bLength, BY_RECORD);
  return tie === TIE_REVERSED ? -bytes : bytes;
}

function compareBy(a: u32, aLength: u32, b: u32, bLength: u32, by: u32): i32 {
  return compareBytes(
    byteStart(a, by),
    byteLength(a, aLength, by),
    byteStart(b, by),
    byteLength(b, bLength, by),
  );
}
