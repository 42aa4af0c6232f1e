import { ENTRY, RESULT, storedBytes } from "../kernel.ts";
import {
  copyBytes,
  ENTRY_LENGTH,
  ENTRY_RECORD,
  FETCH,
  fetchRecords,
  moveEntry,
  type Heap,
} from "./heap.ts";
import { compareKeys } from "./records.ts";

/** Copies records in the order of their entries until `target` is full. */
export function gather(
  heap: Heap,
  entries: number,
  count: number,
  target: number,
  capacity: number,
): void {
  const { view } = heap;
  const extra = storedBytes(heap.order, 0);
  const end = entries + count * ENTRY;
  const full = target + capacity;
  let entry = entries;
  let at = target;
  let fetched = entries;
  while (entry < end) {
    if (entry === fetched) {
      fetchRecords(heap, entry, end, 0);
      fetched += FETCH;
    }
    const bytes = view.getUint32(entry + ENTRY_LENGTH, true) + extra;
    if (at + bytes > full) break;
    copyBytes(heap, at, view.getUint32(entry + ENTRY_RECORD, true), bytes);
    at += bytes;
    entry += ENTRY;
  }
  view.setUint32(RESULT, (entry - entries) / ENTRY, true);
  view.setUint32(RESULT + 4, at - target, true);
}

/** Drops all but the first, or the last, of entries with equal keys; returns how many stay. */
export function dropEqual(
  heap: Heap,
  entries: number,
  count: number,
  keepLast: boolean,
): number {
  if (count === 0) return 0;
  const { view } = heap;
  const end = entries + count * ENTRY;
  let kept = entries;
  for (let entry = entries + ENTRY; entry < end; entry += ENTRY) {
    const order = compareKeys(
      heap,
      view.getUint32(kept + ENTRY_RECORD, true),
      view.getUint32(kept + ENTRY_LENGTH, true),
      view.getUint32(entry + ENTRY_RECORD, true),
      view.getUint32(entry + ENTRY_LENGTH, true),
    );
    if (order !== 0) kept += ENTRY;
    if (order !== 0 || keepLast) moveEntry(view, kept, entry);
  }
  return (kept - entries) / ENTRY + 1;
}
