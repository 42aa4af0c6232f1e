import { findByte } from "./bytes.ts";
import type { Heap } from "./heap.ts";
import { putNextPrefix, putPrefix } from "./records.ts";

/** A merge under way: a source is [record][end][length][is at its end][prefix][next prefix]; the tree of losers follows. */
export interface Merge {
  readonly sources: number;
  readonly tree: number;
  readonly count: number;
  readonly strip: boolean;
  readonly hold: number;
  held: number;
  isHolding: boolean;
  left: number;
  out: number;
  hash: bigint;
}

export const SIZE = 32;
export const END = 4;
export const LENGTH = 8;
export const AT_END = 12;
/** Its lower half, then its higher one. */
export const PREFIX = 16;
export const HIGH = 20;
/** Of the bytes behind those of the first one, which sorted text needs at every second comparison. */
export const NEXT = 24;
export const NEXT_HIGH = 28;

export function startMerge(
  state: number,
  count: number,
  strip: boolean,
  hold: number,
  limit: bigint,
): Merge {
  return {
    sources: state,
    tree: state + count * SIZE,
    count,
    strip,
    hold,
    held: 0,
    isHolding: false,
    left: Number(limit),
    out: 0,
    hash: 0n,
  };
}

export function feedSource(
  heap: Heap,
  merge: Merge,
  index: number,
  from: number,
  end: number,
): void {
  const { view } = heap;
  const source = merge.sources + index * SIZE;
  view.setUint32(source, from, true);
  view.setUint32(source + END, end, true);
  view.setUint32(source + AT_END, from === end ? 1 : 0, true);
  if (from !== end) {
    readRecord(heap, source);
  } else {
    view.setInt32(source + PREFIX, -1, true);
    view.setInt32(source + HIGH, -1, true);
  }
}

/** Notes the length and the prefixes of the record that a source has next. */
export function readRecord(heap: Heap, source: number): void {
  const { view } = heap;
  const record = view.getUint32(source, true);
  const length = lengthAt(heap, record, view.getUint32(source + END, true));
  view.setUint32(source + LENGTH, length, true);
  putPrefix(heap, source + PREFIX, record, length);
  putNextPrefix(heap, source + NEXT, record, length);
}

/** The length of the whole record at an address. */
export function lengthAt(heap: Heap, record: number, end: number): number {
  const { view, order } = heap;
  switch (order.layout) {
    case "keyed":
      return (
        8 + view.getUint32(record, true) + view.getUint32(record + 4, true)
      );
    case "fixed":
      return order.recordBytes;
    case "lines":
    case "numeric":
      return findByte(view, order.delimiter, record, end) - record;
  }
}
