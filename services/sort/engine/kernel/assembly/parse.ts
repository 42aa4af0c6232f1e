import { copyBytes, hashBytes } from "./bytes";
import {
  delimiter,
  hashing,
  KEYED,
  layout,
  recordBytes,
  RESULT,
} from "./order";
import { startNumbers } from "./numeric";
import { compareRecords, prefixOf } from "./records";

// What is known of the chunk so far.
let count: u32 = 0;
let longest: u32 = 0;
/** The first record that comes before its predecessor (or, when told so, is equal to it); -1: none. */
let disorder: i32 = -1;
let refuseEqual: bool = false;
let hash: u64 = 0;
let lastRecord: u32 = 0;
let lastLength: u32 = 0;
let lastPrefix: u64 = 0;
/** Records after this prefix are not wanted (top). */
let threshold: u64 = ~(<u64>0);

export function startChunk(newRefuseEqual: u32, newThreshold: u64): void {
  count = 0;
  longest = 0;
  disorder = -1;
  refuseEqual = newRefuseEqual !== 0;
  hash = 0;
  threshold = newThreshold;
  startNumbers();
}

/**
 * Makes entries of the whole lines that start in [from, startLimit) and end before `limit`, as many as `capacity`.
 * Result: [bytes consumed up to][entries made][records so far][longest][disorder].
 */
export function parseLines(
  from: u32,
  limit: u32,
  startLimit: u32,
  entries: u32,
  capacity: u32,
): void {
  const pattern = i8x16.splat(<u8>delimiter);
  const full = entries + (capacity << 4);
  let entry = entries;
  let start = from;
  let at = from;
  while (at < limit && start < startLimit && entry < full) {
    let found = <u32>i8x16.bitmask(i8x16.eq(v128.load(at), pattern));
    if (at + 16 > limit) found &= (1 << (limit - at)) - 1;
    while (found !== 0 && start < startLimit && entry < full) {
      const end = at + <u32>ctz(found);
      found &= found - 1;
      entry = addEntry(entry, start, end - start, end + 1 - start);
      start = end + 1;
    }
    at += 16;
  }
  tell(start, (entry - entries) >> 4);
}

export function parseFixed(
  from: u32,
  limit: u32,
  entries: u32,
  capacity: u32,
): void {
  const full = entries + (capacity << 4);
  let entry = entries;
  let start = from;
  while (start + recordBytes <= limit && entry < full) {
    entry = addEntry(entry, start, recordBytes, recordBytes);
    start += recordBytes;
  }
  tell(start, (entry - entries) >> 4);
}

/**
 * Puts keys and records together at `target`: each row of `table` is [record][record bytes][key][key bytes]. There is
 * room; the result's first word is the end of what was written.
 */
export function assembleKeyed(
  table: u32,
  rows: u32,
  target: u32,
  entries: u32,
): void {
  let entry = entries;
  let at = target;
  for (let row = table, end = table + (rows << 4); row < end; row += 16) {
    const bytes = load<u32>(row, 4);
    const key = load<u32>(row, 12);
    store<u32>(at, key);
    store<u32>(at, bytes, 4);
    copyBytes(at + 8, load<u32>(row, 8), key);
    copyBytes(at + 8 + key, load<u32>(row), bytes);
    const length = 8 + key + bytes;
    const next = addEntry(entry, at, length, length);
    if (next !== entry) at += length;
    entry = next;
  }
  tell(at, (entry - entries) >> 4);
}

function addEntry(entry: u32, record: u32, length: u32, stored: u32): u32 {
  const prefix = prefixOf(record, length);
  count++;
  if (stored > longest) longest = stored;
  if (hashing) hash += hashOf(record, stored);
  if (prefix > threshold) return entry;
  store<u64>(entry, prefix);
  store<u32>(entry, record, 8);
  store<u32>(entry, length, 12);
  if (disorder < 0) noteOrder(record, length, prefix);
  return entry + 16;
}

export function hashOf(record: u32, stored: u32): u64 {
  if (layout === KEYED) {
    const key = load<u32>(record);
    return hashBytes(record + 8 + key, stored - 8 - key);
  }
  return hashBytes(record, stored);
}

function noteOrder(record: u32, length: u32, prefix: u64): void {
  if (count > 1) {
    const wrong =
      prefix < lastPrefix ||
      (prefix === lastPrefix &&
        compareRecords(lastRecord, lastLength, record, length) >=
          (refuseEqual ? 0 : 1));
    if (wrong) disorder = <i32>(count - 1);
  }
  lastRecord = record;
  lastLength = length;
  lastPrefix = prefix;
}

function tell(consumed: u32, made: u32): void {
  store<u32>(RESULT, consumed);
  store<u32>(RESULT, made, 4);
  store<u32>(RESULT, count, 8);
  store<u32>(RESULT, longest, 12);
  store<i32>(RESULT, disorder, 16);
  store<u64>(RESULT, hash, 24);
}
