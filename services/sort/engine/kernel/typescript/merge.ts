import { RESULT, storedBytes } from "../kernel.ts";
import { findByte } from "./bytes.ts";
import { copyBytes, type Heap } from "./heap.ts";
import { hashOf } from "./parse.ts";
import {
  compareKeys,
  compareRecords,
  compareSamePrefixes,
  putNextPrefix,
  putPrefix,
} from "./records.ts";

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

const SIZE = 32;
const END = 4;
const LENGTH = 8;
const AT_END = 12;
/** Its lower half, then its higher one. */
const PREFIX = 16;
const HIGH = 20;
/** Of the bytes behind those of the first one, which sorted text needs at every second comparison. */
const NEXT = 24;
const NEXT_HIGH = 28;

const FULL = 0;
const DONE = -1;

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

export function buildTree(heap: Heap, merge: Merge): void {
  const { view } = heap;
  for (let i = 0; i < merge.count; i++) {
    view.setInt32(merge.tree + 4 * i, -1, true);
  }
  for (let i = 0; i < merge.count; i++) {
    let winner = i;
    let node = (i + merge.count) >>> 1;
    for (; node > 0; node >>>= 1) {
      const place = merge.tree + 4 * node;
      const other = view.getInt32(place, true);
      if (other < 0) break;
      if (isFirst(heap, merge, other, winner)) {
        view.setInt32(place, winner, true);
        winner = other;
      }
    }
    view.setInt32(merge.tree + 4 * node, winner, true);
  }
}

export function replay(heap: Heap, merge: Merge, from: number): void {
  const { view } = heap;
  const { tree, sources } = merge;
  let winner = from;
  // Most rivals are told apart by their prefixes, so the winner's stays at hand.
  let high = view.getUint32(sources + from * SIZE + HIGH, true);
  let low = view.getUint32(sources + from * SIZE + PREFIX, true);
  for (let node = (from + merge.count) >>> 1; node > 0; node >>>= 1) {
    const place = tree + 4 * node;
    const other = view.getInt32(place, true);
    const rival = sources + other * SIZE;
    const rivalHigh = view.getUint32(rival + HIGH, true);
    if (rivalHigh > high) continue;
    const rivalLow = view.getUint32(rival + PREFIX, true);
    if (rivalHigh === high) {
      if (rivalLow > low) continue;
      if (rivalLow === low && !isFirstOfEqual(heap, merge, other, winner)) {
        continue;
      }
    }
    view.setInt32(place, winner, true);
    winner = other;
    high = rivalHigh;
    low = rivalLow;
  }
  view.setInt32(tree, winner, true);
}

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

function readRecord(heap: Heap, source: number): void {
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

function isFirst(heap: Heap, merge: Merge, a: number, b: number): boolean {
  const { view } = heap;
  const left = merge.sources + a * SIZE;
  const right = merge.sources + b * SIZE;
  const high = view.getUint32(left + HIGH, true);
  const otherHigh = view.getUint32(right + HIGH, true);
  if (high !== otherHigh) return high < otherHigh;
  const low = view.getUint32(left + PREFIX, true);
  const otherLow = view.getUint32(right + PREFIX, true);
  return low === otherLow ? isFirstOfEqual(heap, merge, a, b) : low < otherLow;
}

/** Of sources with equal prefixes; one at its end has the last prefix there is. */
function isFirstOfEqual(
  heap: Heap,
  merge: Merge,
  a: number,
  b: number,
): boolean {
  const { view } = heap;
  const left = merge.sources + a * SIZE;
  const right = merge.sources + b * SIZE;
  if (view.getUint32(left + AT_END, true) !== 0) return false;
  if (view.getUint32(right + AT_END, true) !== 0) return true;
  const high = view.getUint32(left + HIGH, true);
  const low = view.getUint32(left + PREFIX, true);
  const next = view.getUint32(left + NEXT_HIGH, true);
  const otherNext = view.getUint32(right + NEXT_HIGH, true);
  if (next !== otherNext) return next < otherNext;
  const nextLow = view.getUint32(left + NEXT, true);
  const otherNextLow = view.getUint32(right + NEXT, true);
  if (nextLow !== otherNextLow) return nextLow < otherNextLow;
  const order = compareSamePrefixes(
    heap,
    high,
    low,
    nextLow,
    view.getUint32(left, true),
    view.getUint32(left + LENGTH, true),
    view.getUint32(right, true),
    view.getUint32(right + LENGTH, true),
  );
  return order === 0 ? a < b : order < 0;
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
