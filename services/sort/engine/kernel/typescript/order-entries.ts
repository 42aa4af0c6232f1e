import { ENTRY } from "../kernel.ts";
import { ENTRY_HIGH, ENTRY_RECORD, moveEntry, type Heap } from "./heap.ts";

export const DIGITS = 6;
export const BUCKETS = 2048;
// Three digits of each half: bits 0-10, 11-21, 22-31.
const SHIFTS = [0, 11, 22] as const;
/** Up to so many entries, an insertion sort is the fastest; up to the second, a quicksort. */
const FEW = 24;
const SOME = 1024;
/** So many are 1 MB, half of what a core caches. */
const MANY = 65_536;

/** Sorts entries by their prefix alone, equal ones by address. */
export function sortByPrefix(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  if (count <= SOME) {
    quickSort(heap.view, entries, entries + (count - 1) * ENTRY);
  } else if (count <= MANY) {
    radixSort(heap, entries, spare, count);
  } else {
    divide(heap, entries, spare, count);
  }
}

/** More than a cache holds are divided by their highest digit first, so that all other passes stay in the cache. */
function divide(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  const counts = countDigits(heap, entries, count);
  const sizes = counts.slice((DIGITS - 1) * BUCKETS);
  if (sizes.includes(count)) {
    radixSort(heap, entries, spare, count);
    return;
  }
  scatter(heap, entries, spare, count, DIGITS - 1);
  heap.bytes.copyWithin(entries, spare, spare + count * ENTRY);
  let from = entries;
  for (const size of sizes) {
    if (size > SOME) radixSort(heap, from, spare, size);
    else if (size > 1) {
      quickSort(heap.view, from, from + (size - 1) * ENTRY);
    }
    from += size * ENTRY;
  }
}

/** Least digit first; digits that all entries share are skipped. */
function radixSort(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  const { view, bytes } = heap;
  const counts = countDigits(heap, entries, count);
  let source = entries;
  let target = spare;
  for (let digit = 0; digit < DIGITS; digit++) {
    const half = digit < 3 ? 0 : ENTRY_HIGH;
    const shift = SHIFTS[digit % 3] ?? 0;
    const shared = (view.getUint32(entries + half, true) >>> shift) & 2047;
    if (counts[digit * BUCKETS + shared] === count) continue;
    scatter(heap, source, target, count, digit);
    [source, target] = [target, source];
  }
  if (source !== entries) {
    bytes.copyWithin(entries, source, source + count * ENTRY);
  }
}

function countDigits(
  { view, counts }: Heap,
  entries: number,
  count: number,
): Int32Array {
  counts.fill(0);
  const end = entries + count * ENTRY;
  for (let entry = entries; entry < end; entry += ENTRY) {
    const low = view.getInt32(entry, true);
    const high = view.getInt32(entry + ENTRY_HIGH, true);
    add(counts, low & 2047);
    add(counts, BUCKETS + ((low >>> 11) & 2047));
    add(counts, 2 * BUCKETS + (low >>> 22));
    add(counts, 3 * BUCKETS + (high & 2047));
    add(counts, 4 * BUCKETS + ((high >>> 11) & 2047));
    add(counts, 5 * BUCKETS + (high >>> 22));
  }
  return counts;
}

function add(counts: Int32Array, index: number): void {
  counts[index] = ((counts[index] ?? 0) + 1) | 0;
}

/** Moves entries to where a digit says, by its counts. */
function scatter(
  { view, counts }: Heap,
  source: number,
  target: number,
  count: number,
  digit: number,
): void {
  const half = digit < 3 ? 0 : ENTRY_HIGH;
  const shift = SHIFTS[digit % 3] ?? 0;
  const first = digit * BUCKETS;
  let at = target;
  for (let i = first; i < first + BUCKETS; i++) {
    const size = (counts[i] ?? 0) * ENTRY;
    counts[i] = at;
    at += size;
  }
  const end = source + count * ENTRY;
  for (let entry = source; entry < end; entry += ENTRY) {
    const bucket =
      first + ((view.getInt32(entry + half, true) >>> shift) & 2047);
    const to = counts[bucket] ?? 0;
    moveEntry(view, to, entry);
    counts[bucket] = to + ENTRY;
  }
}

/** By (prefix, address), which no two entries share, so it is stable. */
function quickSort(view: DataView, from: number, to: number): void {
  let first = from;
  let last = to;
  while (last - first > FEW * ENTRY) {
    const [low, high] = partition(view, first, last);
    if (high - first < last - low) {
      quickSort(view, first, high);
      first = low;
    } else {
      quickSort(view, low, last);
      last = high;
    }
  }
  insert(view, first, last);
}

function partition(
  view: DataView,
  first: number,
  last: number,
): [low: number, high: number] {
  const half = Math.floor((last - first) / ENTRY / 2) * ENTRY;
  const pivot = medianOf(view, first, first + half, last);
  const high = view.getUint32(pivot + ENTRY_HIGH, true);
  const low = view.getUint32(pivot, true);
  const record = view.getUint32(pivot + ENTRY_RECORD, true);
  let left = first;
  let right = last;
  while (left <= right) {
    while (order(view, left, high, low, record) < 0) left += ENTRY;
    while (order(view, right, high, low, record) > 0) right -= ENTRY;
    if (left <= right) {
      swapEntries(view, left, right);
      left += ENTRY;
      right -= ENTRY;
    }
  }
  return [left, right];
}

function medianOf(view: DataView, a: number, b: number, c: number): number {
  const [low, high] = orderEntries(view, a, b) <= 0 ? [a, b] : [b, a];
  if (orderEntries(view, c, high) >= 0) return high;
  return orderEntries(view, c, low) <= 0 ? low : c;
}

function orderEntries(view: DataView, a: number, b: number): number {
  return order(
    view,
    a,
    view.getUint32(b + ENTRY_HIGH, true),
    view.getUint32(b, true),
    view.getUint32(b + ENTRY_RECORD, true),
  );
}

function order(
  view: DataView,
  entry: number,
  high: number,
  low: number,
  record: number,
): number {
  const itsHigh = view.getUint32(entry + ENTRY_HIGH, true);
  if (itsHigh !== high) return itsHigh < high ? -1 : 1;
  const itsLow = view.getUint32(entry, true);
  if (itsLow !== low) return itsLow < low ? -1 : 1;
  const itsRecord = view.getUint32(entry + ENTRY_RECORD, true);
  return itsRecord === record ? 0 : itsRecord < record ? -1 : 1;
}

function swapEntries(view: DataView, a: number, b: number): void {
  const key = view.getBigUint64(a, true);
  const place = view.getBigUint64(a + 8, true);
  moveEntry(view, a, b);
  view.setBigUint64(b, key, true);
  view.setBigUint64(b + 8, place, true);
}

function insert(view: DataView, first: number, last: number): void {
  for (let entry = first + ENTRY; entry <= last; entry += ENTRY) {
    const low = view.getUint32(entry, true);
    const high = view.getUint32(entry + ENTRY_HIGH, true);
    const record = view.getUint32(entry + ENTRY_RECORD, true);
    const length = view.getUint32(entry + 12, true);
    let at = entry;
    while (at > first && order(view, at - ENTRY, high, low, record) > 0) {
      moveEntry(view, at, at - ENTRY);
      at -= ENTRY;
    }
    view.setUint32(at, low, true);
    view.setUint32(at + ENTRY_HIGH, high, true);
    view.setUint32(at + ENTRY_RECORD, record, true);
    view.setUint32(at + 12, length, true);
  }
}
