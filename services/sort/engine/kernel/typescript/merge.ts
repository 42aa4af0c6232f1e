import { RESULT, storedBytes } from "../kernel.ts";
import { copyBytes, type Heap } from "./heap.ts";
import {
  AT_END,
  END,
  LENGTH,
  lengthAt,
  readRecord,
  SIZE,
  type Merge,
} from "./merge-sources.ts";
import { hashOf } from "./parse.ts";
import { compareKeys, compareRecords } from "./records.ts";
import { replay } from "./tree-of-losers.ts";

const FULL = 0;
const DONE = -1;

/** Writes the next records to `target`; see `Kernel.merge`. */
export function mergeRecords(
  heap: Heap,
  merge: Merge,
  target: number,
  capacity: number,
): number {
  const { view } = heap;
  const full = target + capacity;
  let at = target;
  let stop = FULL;
  while (true) {
    const winner = view.getInt32(merge.tree, true);
    const source = merge.sources + winner * SIZE;
    if (view.getUint32(source + AT_END, true) !== 0 || merge.left === 0) {
      const mustEmit = merge.isHolding && merge.left > 0;
      if (mustEmit && at + merge.held > full) break;
      if (mustEmit) at = emit(heap, merge, at, merge.hold, merge.held);
      merge.isHolding = false;
      stop = DONE;
      break;
    }
    const written = take(heap, merge, source, at, full);
    if (written < 0) break;
    at = written;
    const next =
      view.getUint32(source, true) +
      storedBytes(heap.order, view.getUint32(source + LENGTH, true));
    view.setUint32(source, next, true);
    if (next === view.getUint32(source + END, true)) {
      stop = winner + 1;
      break;
    }
    readRecord(heap, source);
    replay(heap, merge, winner);
  }
  view.setUint32(RESULT, at - target, true);
  view.setBigUint64(RESULT + 8, BigInt(merge.out), true);
  view.setBigUint64(RESULT + 16, BigInt.asUintN(64, merge.hash), true);
  return stop;
}

/** Emits a source's record, or keeps it back; returns the new end of the output, or -1 where it is full. */
function take(
  heap: Heap,
  merge: Merge,
  source: number,
  at: number,
  full: number,
): number {
  const record = heap.view.getUint32(source, true);
  const length = heap.view.getUint32(source + LENGTH, true);
  const stored = storedBytes(heap.order, length);
  const { unique } = heap.order;
  if (unique === "no") {
    return at + stored > full ? -1 : emit(heap, merge, at, record, stored);
  }
  if (merge.isHolding && hasHeldKey(heap, merge, record, length)) {
    if (unique === "last") keep(heap, merge, record, stored);
    return at;
  }
  let end = at;
  if (merge.isHolding) {
    if (at + merge.held > full) return -1;
    end = emit(heap, merge, at, merge.hold, merge.held);
  }
  keep(heap, merge, record, stored);
  return end;
}

function emit(
  heap: Heap,
  merge: Merge,
  at: number,
  record: number,
  stored: number,
): number {
  merge.left--;
  merge.out++;
  if (heap.order.hashing) merge.hash += hashOf(heap, record, stored);
  const head =
    merge.strip && heap.order.layout === "keyed"
      ? 8 + heap.view.getUint32(record, true)
      : 0;
  copyBytes(heap, at, record + head, stored - head);
  return at + stored - head;
}

function keep(heap: Heap, merge: Merge, record: number, stored: number): void {
  copyBytes(heap, merge.hold, record, stored);
  merge.held = stored;
  merge.isHolding = true;
}

function hasHeldKey(
  heap: Heap,
  merge: Merge,
  record: number,
  length: number,
): boolean {
  const held = merge.held - storedBytes(heap.order, 0);
  return compareKeys(heap, merge.hold, held, record, length) === 0;
}

export function findRecord(
  heap: Heap,
  from: number,
  end: number,
  wanted: number,
  wantedLength: number,
  after: boolean,
  keysOnly: boolean,
): number {
  const compare = keysOnly ? compareKeys : compareRecords;
  let at = from;
  while (at < end) {
    const length = lengthAt(heap, at, end);
    const order = compare(heap, at, length, wanted, wantedLength);
    if (after ? order > 0 : order >= 0) return at;
    at += storedBytes(heap.order, length);
  }
  return end;
}
