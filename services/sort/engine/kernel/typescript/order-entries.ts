import { ENTRY } from "../kernel.ts";
import { ENTRY_HIGH, ENTRY_RECORD, moveEntry, type Heap } from "./heap.ts";

const DIGITS = 6;
const BUCKETS = 2048;
// Three digits of each half: bits 0-10, 11-21, 22-31.
const SHIFTS = [0, 11, 22] as const;
/** Up to so many entries, an insertion sort is the fastest; up to the second, a quicksort. */
const FEW = 24;
const SOME = 1024;

/** Sorts entries by their prefix alone, equal ones by address. */
export function sortByPrefix(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  if (count <= SOME) {
    quickSort(heap.view, entries, entries + (count - 1) * ENTRY);
  } else {
    radixSort(heap.view, entries, spare, count, heap.bytes);
  }
}

/** Least digit first; digits that all entries share are skipped. */
function radixSort(
  view: DataView,
  entries: number,
  spare: number,
  count: number,
  bytes: Uint8Array,
): void {
  const counts = countDigits(view, entries, count);
  let source = entries;
  let target = spare;
  for (let digit = 0; digit < DIGITS; digit++) {
    const half = digit < 3 ? 0 : ENTRY_HIGH;
    const shift = SHIFTS[digit % 3] ?? 0;
    const places = counts.subarray(digit * BUCKETS, (digit + 1) * BUCKETS);
    const shared = (view.getUint32(entries + half, true) >>> shift) & 2047;
    if (places[shared] === count) continue;
    scatter(view, source, target, count, places, half, shift);
    [source, target] = [target, source];
  }
  if (source !== entries) {
    bytes.copyWithin(entries, source, source + count * ENTRY);
  }
}

function countDigits(
  view: DataView,
  entries: number,
  count: number,
): Float64Array {
  const counts = new Float64Array(DIGITS * BUCKETS);
  const add = (digit: number, value: number) => {
    const index = digit * BUCKETS + value;
    counts[index] = (counts[index] ?? 0) + 1;
  };
  const end = entries + count * ENTRY;
  for (let entry = entries; entry < end; entry += ENTRY) {
    const low = view.getUint32(entry, true);
    const high = view.getUint32(entry + ENTRY_HIGH, true);
    add(0, low & 2047);
    add(1, (low >>> 11) & 2047);
    add(2, low >>> 22);
    add(3, high & 2047);
    add(4, (high >>> 11) & 2047);
    add(5, high >>> 22);
  }
  return counts;
}

function scatter(
  view: DataView,
  source: number,
  target: number,
  count: number,
  places: Float64Array,
  half: number,
  shift: number,
): void {
  let at = target;
  for (let i = 0; i < BUCKETS; i++) {
    const size = (places[i] ?? 0) * ENTRY;
    places[i] = at;
    at += size;
  }
  const end = source + count * ENTRY;
  for (let entry = source; entry < end; entry += ENTRY) {
    const bucket = (view.getUint32(entry + half, true) >>> shift) & 2047;
    const to = places[bucket] ?? 0;
    moveEntry(view, to, entry);
    places[bucket] = to + ENTRY;
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
