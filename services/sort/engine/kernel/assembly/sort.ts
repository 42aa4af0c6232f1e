import { commonBytes, bytesPrefix } from "./bytes";
import { FETCH, fetchRecords } from "./fetch";
import { isPlain } from "./numeric";
import { layout, NUMERIC, TIE_NONE, tie } from "./order";
import {
  BY_KEY,
  BY_RECORD,
  byteLength,
  byteStart,
  compareRecords,
  flipOf,
  tellsAll,
} from "./records";

/** Six counts of 2048 for the radix passes. */
const COUNTS: u32 = 131072;
const DIGITS: u32 = 6;
const DIGIT_BITS: u32 = 11;
const BUCKETS: u32 = 2048;
/** Of so many entries a sample of so many tells which digits are worth a pass. */
const SAMPLED: u32 = 65536;
const SAMPLE: u32 = 4096;

function keyAt(entry: u32): u64 {
  return load<u64>(entry);
}

/** Puts entries in order of their records, equal ones in the order of their addresses. `spare` has room for as many. */
export function sortEntries(entries: u32, spare: u32, count: u32): void {
  sortByPrefix(entries, spare, count);
  sortEqualPrefixes(entries, spare, count, BY_KEY, 0);
}

function sortEqualPrefixes(
  entries: u32,
  spare: u32,
  count: u32,
  by: u32,
  depth: u32,
): void {
  const end = entries + (count << 4);
  let start = entries;
  while (start < end) {
    const prefix = keyAt(start);
    let next = start + 16;
    while (next < end && keyAt(next) === prefix) next += 16;
    if (next - start > 16) {
      sortGroup(start, spare, (next - start) >> 4, by, depth, prefix);
    }
    start = next;
  }
}

/** Sorts entries whose prefixes at `depth` are the same. */
function sortGroup(
  entries: u32,
  spare: u32,
  count: u32,
  by: u32,
  depth: u32,
  prefix: u64,
): void {
  if (by === BY_KEY && layout === NUMERIC) {
    if (!tellsAll(prefix)) {
      mergeSort(entries, spare, count);
    } else if (tie !== TIE_NONE && !isPlain) {
      sortByBytes(entries, spare, count, BY_RECORD, 0);
    }
    return;
  }
  if (((prefix ^ flipOf(by)) & 0xff) === 8) {
    sortByBytes(entries, spare, count, by, depth + 7);
  } else if (by === BY_KEY && tie !== TIE_NONE) {
    sortByBytes(entries, spare, count, BY_RECORD, 0);
  }
}

/** Sorts entries whose bytes before `depth` are the same. */
function sortByBytes(
  entries: u32,
  spare: u32,
  count: u32,
  by: u32,
  depth: u32,
): void {
  let from = depth;
  if (!putPrefixes(entries, count, by, from)) {
    from = commonDepth(entries, count, by, depth);
    putPrefixes(entries, count, by, from);
  }
  sortByPrefix(entries, spare, count);
  sortEqualPrefixes(entries, spare, count, by, from);
}

/** Entries get the prefixes of their bytes from `depth` on; returns whether any two of those differ. */
function putPrefixes(entries: u32, count: u32, by: u32, depth: u32): bool {
  const end = entries + (count << 4);
  const flipped = flipOf(by);
  const first = prefixAt(entries, by, depth) ^ flipped;
  let differences: u64 = 0;
  let fetched = entries;
  for (let entry = entries; entry < end; entry += 16) {
    if (entry === fetched) {
      fetchRecords(entry, min(entry + FETCH, end), depth);
      fetched += FETCH;
    }
    const prefix = prefixAt(entry, by, depth) ^ flipped;
    store<u64>(entry, prefix);
    differences |= prefix ^ first;
  }
  return differences !== 0;
}

function prefixAt(entry: u32, by: u32, depth: u32): u64 {
  const record = load<u32>(entry, 8);
  const length = byteLength(record, load<u32>(entry, 12), by);
  return bytesPrefix(byteStart(record, by) + depth, length - depth);
}

/** Skipping what all have in common keeps the depth of recursion at the number of splits, not of bytes. */
function commonDepth(entries: u32, count: u32, by: u32, depth: u32): u32 {
  const head = load<u32>(entries, 8);
  const start = byteStart(head, by);
  let same = byteLength(head, load<u32>(entries, 12), by);
  const end = entries + (count << 4);
  for (let entry = entries + 16; entry < end && same > depth; entry += 16) {
    const record = load<u32>(entry, 8);
    const length = byteLength(record, load<u32>(entry, 12), by);
    same = commonBytes(start, byteStart(record, by), depth, min(same, length));
  }
  return same;
}

function insertByRecord(entries: u32, count: u32): void {
  const end = entries + (count << 4);
  for (let entry = entries + 16; entry < end; entry += 16) {
    const prefix = keyAt(entry);
    const record = load<u32>(entry, 8);
    const length = load<u32>(entry, 12);
    let at = entry;
    while (
      at > entries &&
      compareRecords(load<u32>(at - 8), load<u32>(at - 4), record, length) > 0
    ) {
      v128.store(at, v128.load(at - 16));
      at -= 16;
    }
    store<u64>(at, prefix);
    store<u32>(at, record, 8);
    store<u32>(at, length, 12);
  }
}

/** Stable, by whole comparisons: for what prefixes cannot tell. */
function mergeSort(entries: u32, spare: u32, count: u32): void {
  if (count <= 8) {
    insertByRecord(entries, count);
    return;
  }
  const half = count >> 1;
  const middle = entries + (half << 4);
  mergeSort(entries, spare, half);
  mergeSort(middle, spare, count - half);
  memory.copy(spare, entries, half << 4);
  const end = entries + (count << 4);
  const leftEnd = spare + (half << 4);
  let left = spare;
  let right = middle;
  let out = entries;
  while (left < leftEnd && right < end) {
    const order = compareRecords(
      load<u32>(left, 8),
      load<u32>(left, 12),
      load<u32>(right, 8),
      load<u32>(right, 12),
    );
    if (order <= 0) {
      v128.store(out, v128.load(left));
      left += 16;
    } else {
      v128.store(out, v128.load(right));
      right += 16;
    }
    out += 16;
  }
  if (left < leftEnd) memory.copy(out, left, leftEnd - left);
}

function sortByPrefix(entries: u32, spare: u32, count: u32): void {
  const lowest = count < SAMPLED ? 0 : lowestDigit(entries, spare, count);
  if (lowest === 0) {
    sortByAllDigits(entries, spare, count);
    return;
  }
  radixSort(entries, spare, count, lowest);
  const shift = <u64>(lowest * DIGIT_BITS);
  const end = entries + (count << 4);
  let start = entries;
  while (start < end) {
    const first = keyAt(start);
    let differences: u64 = 0;
    let next = start + 16;
    while (next < end) {
      const difference = keyAt(next) ^ first;
      if (difference >> shift !== 0) break;
      differences |= difference;
      next += 16;
    }
    if (differences !== 0) {
      sortByAllDigits(start, spare, (next - start) >> 4);
    }
    start = next;
  }
}

/**
 * The lowest digit that is worth a pass: by a sample, an entry shares the digits from there on with at most two others
 * that differ from it below, which are quicker to put in order where they stand.
 */
function lowestDigit(entries: u32, spare: u32, count: u32): u32 {
  const step = (count / SAMPLE) << 4;
  const last = spare + ((SAMPLE - 1) << 4);
  let taken = entries;
  for (let entry = spare; entry <= last; entry += 16) {
    v128.store(entry, v128.load(taken));
    taken += step;
  }
  quickSort(spare, last);
  const most = (SAMPLE * SAMPLE) / count;
  for (let digit = DIGITS - 2; digit > 0; digit--) {
    const shift = <u64>(digit * DIGIT_BITS);
    let undecided: u32 = 0;
    for (let entry = spare; entry < last; entry += 16) {
      const difference = keyAt(entry) ^ keyAt(entry + 16);
      if (difference !== 0 && difference >> shift === 0) undecided++;
    }
    if (undecided <= most) return digit;
  }
  return 0;
}

function sortByAllDigits(entries: u32, spare: u32, count: u32): void {
  if (count <= 24) {
    insertByPrefix(entries, count);
  } else if (count <= 1024) {
    quickSort(entries, entries + ((count - 1) << 4));
  } else {
    radixSort(entries, spare, count, 0);
  }
}

function insertByPrefix(entries: u32, count: u32): void {
  const end = entries + (count << 4);
  for (let entry = entries + 16; entry < end; entry += 16) {
    const prefix = keyAt(entry);
    if (keyAt(entry - 16) <= prefix) continue;
    const place = load<u64>(entry, 8);
    let at = entry;
    do {
      v128.store(at, v128.load(at - 16));
      at -= 16;
    } while (at > entries && keyAt(at - 16) > prefix);
    store<u64>(at, prefix);
    store<u64>(at, place, 8);
  }
}

function isBefore(a: u32, prefix: u64, record: u32): bool {
  const other = keyAt(a);
  return other < prefix || (other === prefix && load<u32>(a, 8) < record);
}

function isAfter(a: u32, prefix: u64, record: u32): bool {
  const other = keyAt(a);
  return other > prefix || (other === prefix && load<u32>(a, 8) > record);
}

/** By (prefix, address), which no two entries share, so it is stable. */
function quickSort(first: u32, last: u32): void {
  while (last - first > 384) {
    const middle = first + ((((last - first) >> 4) >> 1) << 4);
    const pivot = medianOf(first, middle, last);
    const prefix = keyAt(pivot);
    const record = load<u32>(pivot, 8);
    let low = first;
    let high = last;
    while (low <= high) {
      while (isBefore(low, prefix, record)) low += 16;
      while (isAfter(high, prefix, record)) high -= 16;
      if (low <= high) {
        const swapped = v128.load(low);
        v128.store(low, v128.load(high));
        v128.store(high, swapped);
        low += 16;
        high -= 16;
      }
    }
    if (high - first < last - low) {
      if (first < high) quickSort(first, high);
      first = low;
    } else {
      if (low < last) quickSort(low, last);
      last = high;
    }
  }
  insertByPlace(first, last);
}

function insertByPlace(first: u32, last: u32): void {
  for (let entry = first + 16; entry <= last; entry += 16) {
    const prefix = keyAt(entry);
    const place = load<u64>(entry, 8);
    let at = entry;
    while (at > first && isAfter(at - 16, prefix, <u32>place)) {
      v128.store(at, v128.load(at - 16));
      at -= 16;
    }
    store<u64>(at, prefix);
    store<u64>(at, place, 8);
  }
}

function medianOf(a: u32, b: u32, c: u32): u32 {
  if (isBefore(b, keyAt(a), load<u32>(a, 8))) {
    const swap = a;
    a = b;
    b = swap;
  }
  if (isBefore(c, keyAt(b), load<u32>(b, 8))) {
    return isBefore(c, keyAt(a), load<u32>(a, 8)) ? a : c;
  }
  return b;
}

/** Least digit first, from `lowest` on; digits that all entries share are skipped. */
function radixSort(entries: u32, spare: u32, count: u32, lowest: u32): void {
  const end = entries + (count << 4);
  memory.fill(COUNTS, 0, DIGITS * BUCKETS * 4);
  for (let entry = entries; entry < end; entry += 16) {
    countDigits(keyAt(entry), lowest);
  }
  const sample = keyAt(entries);
  let source = entries;
  let target = spare;
  for (let digit = lowest; digit < DIGITS; digit++) {
    const shift = <u64>(digit * DIGIT_BITS);
    const counts = COUNTS + ((digit * BUCKETS) << 2);
    const shared = counts + (((<u32>(sample >> shift)) & 2047) << 2);
    if (load<u32>(shared) === count) continue;
    scatter(source, target, count, counts, shift);
    const swapped = source;
    source = target;
    target = swapped;
  }
  if (source !== entries) memory.copy(entries, source, count << 4);
}

function countDigits(prefix: u64, lowest: u32): void {
  let counts = COUNTS + ((lowest * BUCKETS) << 2);
  let rest = prefix >> (<u64>(lowest * DIGIT_BITS));
  for (let digit = lowest; digit < DIGITS; digit++) {
    const place = counts + (((<u32>rest) & 2047) << 2);
    store<u32>(place, load<u32>(place) + 1);
    rest >>= DIGIT_BITS;
    counts += BUCKETS << 2;
  }
}

function scatter(
  source: u32,
  target: u32,
  count: u32,
  counts: u32,
  shift: u64,
): void {
  let at = target;
  for (let i = counts; i < counts + (BUCKETS << 2); i += 4) {
    const size = load<u32>(i) << 4;
    store<u32>(i, at);
    at += size;
  }
  const end = source + (count << 4);
  for (let entry = source; entry < end; entry += 16) {
    const place = counts + (((<u32>(keyAt(entry) >> shift)) & 2047) << 2);
    const to = load<u32>(place);
    v128.store(to, v128.load(entry));
    store<u32>(place, to + 16);
  }
}
