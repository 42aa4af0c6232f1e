import { compareBytes, putBytesPrefix } from "./bytes.ts";
import type { Heap } from "./heap.ts";
import { compareDecimals, isExact, putNumericPrefix } from "./numeric.ts";

/** What is compared: the key's bytes, or the record's as the last resort. */
export type By = "key" | "record";

export function byteStart(heap: Heap, record: number, by: By): number {
  switch (heap.order.layout) {
    case "keyed":
      return by === "key"
        ? record + 8
        : record + 8 + heap.view.getUint32(record, true);
    case "fixed":
      return by === "key" ? record + heap.order.keyOffset : record;
    case "lines":
    case "numeric":
      return record;
  }
}

export function byteLength(
  heap: Heap,
  record: number,
  length: number,
  by: By,
): number {
  switch (heap.order.layout) {
    case "keyed":
      // The delimiter is no part of the last resort: a tab comes before it.
      return by === "key"
        ? heap.view.getUint32(record, true)
        : heap.view.getUint32(record + 4, true) - 1;
    case "fixed":
      return by === "key" ? heap.order.keyBytes : length;
    case "lines":
    case "numeric":
      return length;
  }
}

export function isFlipped(heap: Heap, by: By): boolean {
  return by === "key"
    ? heap.order.reverse
    : heap.order.tie === "reversed-bytes";
}

/** Writes a record's first 8 bytes of order as an entry has them. */
export function putPrefix(
  heap: Heap,
  target: number,
  record: number,
  length: number,
): void {
  const { view, order } = heap;
  const flip = order.reverse ? -1 : 0;
  if (order.layout === "numeric") {
    putNumericPrefix(view, target, record, length, flip);
  } else {
    putBytesPrefix(
      view,
      target,
      byteStart(heap, record, "key"),
      byteLength(heap, record, length, "key"),
      flip,
    );
  }
}

/** Writes the order of a key's bytes behind the first 7; 0 where there are none or the key is a decimal. */
export function putNextPrefix(
  heap: Heap,
  target: number,
  record: number,
  length: number,
): void {
  const { view, order } = heap;
  if (order.layout === "numeric") {
    view.setBigUint64(target, 0n, true);
    return;
  }
  const start = byteStart(heap, record, "key") + 7;
  const left = byteLength(heap, record, length, "key") - 7;
  const flip = order.reverse ? -1 : 0;
  putBytesPrefix(view, target, start, left < 0 ? 0 : left, flip);
}

/** Whether records with this prefix have equal keys. */
export function tellsAll(heap: Heap, high: number, low: number): boolean {
  const { layout, reverse } = heap.order;
  const plain = reverse ? ~low : low;
  return layout === "numeric"
    ? isExact(reverse ? ~high : high, plain)
    : (plain & 0xff) !== 8;
}

export function compareKeys(
  heap: Heap,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  const difference =
    heap.order.layout === "numeric"
      ? compareDecimals(heap.view, a, aLength, b, bLength)
      : compareBy(heap, a, aLength, b, bLength, "key");
  return heap.order.reverse ? -difference : difference;
}

export function compareRecords(
  heap: Heap,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  const difference = compareKeys(heap, a, aLength, b, bLength);
  if (difference !== 0 || heap.order.tie === "none") return difference;
  const bytes = compareBy(heap, a, aLength, b, bLength, "record");
  return heap.order.tie === "bytes" ? bytes : -bytes;
}

/** Of records whose prefixes and next prefixes are the same: keys that those tell in full are not read again. */
export function compareSamePrefixes(
  heap: Heap,
  high: number,
  low: number,
  nextLow: number,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  const { layout, reverse, tie } = heap.order;
  if (!tellsAll(heap, high, low)) {
    if (layout === "numeric") {
      return compareRecords(heap, a, aLength, b, bLength);
    }
    if (!tellsAll(heap, 0, nextLow)) {
      const keys = compareBy(heap, a, aLength, b, bLength, "key", 14);
      if (keys !== 0) return reverse ? -keys : keys;
    }
  }
  if (tie === "none") return 0;
  const bytes = compareBy(heap, a, aLength, b, bLength, "record");
  return tie === "bytes" ? bytes : -bytes;
}

function compareBy(
  heap: Heap,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
  by: By,
  same = 0,
): number {
  return compareBytes(
    heap.view,
    byteStart(heap, a, by),
    byteLength(heap, a, aLength, by),
    byteStart(heap, b, by),
    byteLength(heap, b, bLength, by),
    same,
  );
}
