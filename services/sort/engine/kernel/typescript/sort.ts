import { ENTRY } from "../kernel.ts";
import { commonBytes, putBytesPrefix } from "./bytes.ts";
import {
  ENTRY_HIGH,
  ENTRY_LENGTH,
  ENTRY_RECORD,
  FETCH,
  fetchRecords,
  moveEntry,
  type Heap,
} from "./heap.ts";
import { sortByPrefix } from "./order-entries.ts";
import {
  byteLength,
  byteStart,
  compareRecords,
  isFlipped,
  tellsAll,
  type By,
} from "./records.ts";

/** Up to so many decimals are sorted by insertion. */
const FEW = 8;

/** Puts entries in order of their records, equal ones in the order of their addresses. */
export function sortEntries(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  sortByPrefix(heap, entries, spare, count);
  sortEqualPrefixes(heap, entries, spare, count, "key", 0);
}

function sortEqualPrefixes(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
  by: By,
  depth: number,
): void {
  const { view } = heap;
  const end = entries + count * ENTRY;
  let start = entries;
  while (start < end) {
    const low = view.getUint32(start, true);
    const high = view.getUint32(start + ENTRY_HIGH, true);
    let next = start + ENTRY;
    while (
      next < end &&
      view.getUint32(next, true) === low &&
      view.getUint32(next + ENTRY_HIGH, true) === high
    ) {
      next += ENTRY;
    }
    const group = (next - start) / ENTRY;
    if (group > 1) sortGroup(heap, start, spare, group, by, depth, high, low);
    start = next;
  }
}

/** Sorts entries whose prefixes at `depth` are the same. */
function sortGroup(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
  by: By,
  depth: number,
  high: number,
  low: number,
): void {
  const isTied = heap.order.tie !== "none";
  if (by === "key" && heap.order.layout === "numeric") {
    if (!tellsAll(heap, high, low)) {
      mergeSort(heap, entries, spare, count);
    } else if (isTied) {
      sortByBytes(heap, entries, spare, count, "record", 0);
    }
    return;
  }
  const counted = (isFlipped(heap, by) ? ~low : low) & 0xff;
  if (counted === 8) {
    sortByBytes(heap, entries, spare, count, by, depth + 7);
  } else if (by === "key" && isTied) {
    sortByBytes(heap, entries, spare, count, "record", 0);
  }
}

/** Sorts entries whose bytes before `depth` are the same. */
function sortByBytes(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
  by: By,
  depth: number,
): void {
  let from = depth;
  if (!putPrefixes(heap, entries, count, by, from)) {
    from = commonDepth(heap, entries, count, by, depth);
    putPrefixes(heap, entries, count, by, from);
  }
  sortByPrefix(heap, entries, spare, count);
  sortEqualPrefixes(heap, entries, spare, count, by, from);
}

/** Entries get the prefixes of their bytes from `depth` on; returns whether any two of those differ. */
function putPrefixes(
  heap: Heap,
  entries: number,
  count: number,
  by: By,
  depth: number,
): boolean {
  const { view } = heap;
  const flip = isFlipped(heap, by) ? -1 : 0;
  const end = entries + count * ENTRY;
  let isMixed = false;
  let fetched = entries;
  for (let entry = entries; entry < end; entry += ENTRY) {
    if (entry === fetched) {
      fetchRecords(heap, entry, end, depth);
      fetched += FETCH;
    }
    const record = view.getUint32(entry + ENTRY_RECORD, true);
    const length = view.getUint32(entry + ENTRY_LENGTH, true);
    const start = byteStart(heap, record, by) + depth;
    const left = byteLength(heap, record, length, by) - depth;
    putBytesPrefix(view, entry, start, left, flip);
    if (
      view.getInt32(entry, true) !== view.getInt32(entries, true) ||
      view.getInt32(entry + ENTRY_HIGH, true) !==
        view.getInt32(entries + ENTRY_HIGH, true)
    ) {
      isMixed = true;
    }
  }
  return isMixed;
}

/** Skipping what all have in common keeps the depth of recursion at the number of splits, not of bytes. */
function commonDepth(
  heap: Heap,
  entries: number,
  count: number,
  by: By,
  depth: number,
): number {
  const { view } = heap;
  const head = view.getUint32(entries + ENTRY_RECORD, true);
  const headLength = view.getUint32(entries + ENTRY_LENGTH, true);
  const start = byteStart(heap, head, by);
  let same = byteLength(heap, head, headLength, by);
  const end = entries + count * ENTRY;
  for (let at = entries + ENTRY; at < end && same > depth; at += ENTRY) {
    const record = view.getUint32(at + ENTRY_RECORD, true);
    const length = view.getUint32(at + ENTRY_LENGTH, true);
    same = commonBytes(
      view,
      start,
      byteStart(heap, record, by),
      depth,
      Math.min(same, byteLength(heap, record, length, by)),
    );
  }
  return same;
}

function compareEntries(heap: Heap, a: number, b: number): number {
  const { view } = heap;
  return compareRecords(
    heap,
    view.getUint32(a + ENTRY_RECORD, true),
    view.getUint32(a + ENTRY_LENGTH, true),
    view.getUint32(b + ENTRY_RECORD, true),
    view.getUint32(b + ENTRY_LENGTH, true),
  );
}

function insertByRecord(heap: Heap, entries: number, count: number): void {
  const { view } = heap;
  const end = entries + count * ENTRY;
  for (let entry = entries + ENTRY; entry < end; entry += ENTRY) {
    let at = entry;
    while (at > entries && compareEntries(heap, at - ENTRY, at) > 0) {
      for (let i = 0; i < ENTRY; i += 4) {
        const swapped = view.getUint32(at + i, true);
        view.setUint32(at + i, view.getUint32(at - ENTRY + i, true), true);
        view.setUint32(at - ENTRY + i, swapped, true);
      }
      at -= ENTRY;
    }
  }
}

/** Stable, by whole comparisons: for what prefixes cannot tell. */
function mergeSort(
  heap: Heap,
  entries: number,
  spare: number,
  count: number,
): void {
  if (count <= FEW) {
    insertByRecord(heap, entries, count);
    return;
  }
  const half = count >>> 1;
  const middle = entries + half * ENTRY;
  mergeSort(heap, entries, spare, half);
  mergeSort(heap, middle, spare, count - half);
  heap.bytes.copyWithin(spare, entries, middle);
  const leftEnd = spare + half * ENTRY;
  const end = entries + count * ENTRY;
  let left = spare;
  let right = middle;
  let out = entries;
  while (left < leftEnd && right < end) {
    if (compareEntries(heap, left, right) <= 0) {
      moveEntry(heap.view, out, left);
      left += ENTRY;
    } else {
      moveEntry(heap.view, out, right);
      right += ENTRY;
    }
    out += ENTRY;
  }
  heap.bytes.copyWithin(out, left, leftEnd);
}
