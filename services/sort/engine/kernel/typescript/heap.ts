import { ENTRY, type KernelOrder } from "../kernel.ts";

/** The memory and the order of the TypeScript kernel. A prefix is two halves in memory, for a bigint costs an allocation. */
export interface Heap {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  order: KernelOrder;
  /** Scratch of the radix passes: {@link BUCKETS} for each of {@link DIGITS}. Addresses fit, for arenas stay below 2 GiB. */
  readonly counts: Int32Array;
  fetched: number;
}

export const ENTRY_HIGH = 4;
export const ENTRY_RECORD = 8;
export const ENTRY_LENGTH = 12;
/** The entries that are fetched at once. */
export const FETCH = 32 * ENTRY;

/** The optimizing compiler makes plain 64-bit moves of these bigints: they cost half of what four numbers do. */
export function moveEntry(view: DataView, to: number, from: number): void {
  view.setBigUint64(to, view.getBigUint64(from, true), true);
  view.setBigUint64(to + 8, view.getBigUint64(from + 8, true), true);
}

/**
 * Reads a byte at an offset and one at the end of each of the next records. They lie anywhere, and so short a loop waits
 * for many of them at once where one that works on each waits for one after the other: gathering text takes half as long.
 */
export function fetchRecords(
  heap: Heap,
  entries: number,
  end: number,
  offset: number,
): void {
  const { view } = heap;
  const last = Math.min(entries + FETCH, end);
  let sum = 0;
  for (let entry = entries; entry < last; entry += ENTRY) {
    const record = view.getUint32(entry + ENTRY_RECORD, true);
    sum ^= view.getUint8(record + offset);
    sum ^= view.getUint8(record + view.getUint32(entry + ENTRY_LENGTH, true));
  }
  // What nobody needs would not be read.
  heap.fetched = sum;
}

/** Up to 15 bytes past the end are written. The call of `copyWithin` costs about what 200 bytes in a loop do. */
export function copyBytes(
  heap: Heap,
  target: number,
  source: number,
  length: number,
): void {
  if (length > 200) {
    heap.bytes.copyWithin(target, source, source + length);
    return;
  }
  const { view } = heap;
  const end = source + length;
  while (source < end) {
    view.setBigUint64(target, view.getBigUint64(source, true), true);
    view.setBigUint64(target + 8, view.getBigUint64(source + 8, true), true);
    source += 16;
    target += 16;
  }
}
