import type { KernelOrder } from "../kernel.ts";

/** The memory and the order of the TypeScript kernel. A prefix is two halves in memory, for a bigint costs an allocation. */
export interface Heap {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  order: KernelOrder;
}

export const ENTRY_HIGH = 4;
export const ENTRY_RECORD = 8;
export const ENTRY_LENGTH = 12;

/** The optimizing compiler makes plain 64-bit moves of these bigints: they cost half of what four numbers do. */
export function moveEntry(view: DataView, to: number, from: number): void {
  view.setBigUint64(to, view.getBigUint64(from, true), true);
  view.setBigUint64(to + 8, view.getBigUint64(from + 8, true), true);
}

/** Up to 7 bytes past the end are written. The call of `copyWithin` costs about what 200 bytes in a loop do. */
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
    source += 8;
    target += 8;
  }
}
