import type { KernelOrder } from "../kernel.ts";

/** The memory and the order of the TypeScript kernel; a prefix is two halves, for a bigint costs an allocation. */
export interface Heap {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  order: KernelOrder;
  /** The last prefix that was made. */
  high: number;
  low: number;
}

export const ENTRY_LOW = 0;
export const ENTRY_HIGH = 4;
export const ENTRY_RECORD = 8;
export const ENTRY_LENGTH = 12;

export function moveEntry(view: DataView, to: number, from: number): void {
  view.setUint32(to, view.getUint32(from, true), true);
  view.setUint32(to + 4, view.getUint32(from + 4, true), true);
  view.setUint32(to + 8, view.getUint32(from + 8, true), true);
  view.setUint32(to + 12, view.getUint32(from + 12, true), true);
}

/** Short records are copied in a loop: the call of `copyWithin` costs about what 40 bytes do. */
export function copyBytes(
  heap: Heap,
  target: number,
  source: number,
  length: number,
): void {
  if (length > 40) {
    heap.bytes.copyWithin(target, source, source + length);
    return;
  }
  const { view } = heap;
  const end = source + length;
  while (source < end) {
    view.setUint32(target, view.getUint32(source, true), true);
    source += 4;
    target += 4;
  }
}
