import type { Heap } from "./heap.ts";
import {
  AT_END,
  HIGH,
  LENGTH,
  NEXT,
  NEXT_HIGH,
  PREFIX,
  SIZE,
  type Merge,
} from "./merge-sources.ts";
import { compareSamePrefixes } from "./records.ts";

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
