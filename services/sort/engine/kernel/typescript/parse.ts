import { ENTRY, NO_THRESHOLD, RESULT } from "../kernel.ts";
import { findByte, hashBytes } from "./bytes.ts";
import {
  copyBytes,
  ENTRY_HIGH,
  ENTRY_LENGTH,
  ENTRY_RECORD,
  type Heap,
} from "./heap.ts";
import { compareRecords, putPrefix } from "./records.ts";

/** What is known of a chunk while it is parsed. */
export interface Chunk {
  readonly refuseEqual: boolean;
  readonly hasThreshold: boolean;
  readonly thresholdHigh: number;
  readonly thresholdLow: number;
  records: number;
  longest: number;
  disorder: number;
  hash: bigint;
  lastRecord: number;
  lastLength: number;
  lastHigh: number;
  lastLow: number;
}

export function startChunk(
  refuseEqual = false,
  threshold = NO_THRESHOLD,
): Chunk {
  return {
    refuseEqual,
    hasThreshold: threshold !== NO_THRESHOLD,
    thresholdHigh: Number(threshold >> 32n),
    thresholdLow: Number(threshold & 0xffff_ffffn),
    records: 0,
    longest: 0,
    disorder: -1,
    hash: 0n,
    lastRecord: 0,
    lastLength: 0,
    lastHigh: 0,
    lastLow: 0,
  };
}

export function parseLines(
  heap: Heap,
  chunk: Chunk,
  from: number,
  limit: number,
  startLimit: number,
  entries: number,
  capacity: number,
): void {
  const { view } = heap;
  const { delimiter } = heap.order;
  const full = entries + capacity * ENTRY;
  let entry = entries;
  let start = from;
  while (start < startLimit && entry < full) {
    const at = findByte(view, delimiter, start, limit);
    if (at >= limit) break;
    entry = addEntry(heap, chunk, entry, start, at - start, at + 1 - start);
    start = at + 1;
  }
  tell(heap, chunk, start, (entry - entries) / ENTRY);
}

export function parseFixed(
  heap: Heap,
  chunk: Chunk,
  from: number,
  limit: number,
  entries: number,
  capacity: number,
): void {
  const { recordBytes } = heap.order;
  const full = entries + capacity * ENTRY;
  let entry = entries;
  let start = from;
  while (start + recordBytes <= limit && entry < full) {
    entry = addEntry(heap, chunk, entry, start, recordBytes, recordBytes);
    start += recordBytes;
  }
  tell(heap, chunk, start, (entry - entries) / ENTRY);
}

export function assembleKeyed(
  heap: Heap,
  chunk: Chunk,
  table: number,
  rows: number,
  target: number,
  entries: number,
): void {
  const { view } = heap;
  let entry = entries;
  let at = target;
  for (let row = table, end = table + rows * 16; row < end; row += 16) {
    const bytes = view.getUint32(row + 4, true);
    const key = view.getUint32(row + 12, true);
    view.setUint32(at, key, true);
    view.setUint32(at + 4, bytes, true);
    copyBytes(heap, at + 8, view.getUint32(row + 8, true), key);
    copyBytes(heap, at + 8 + key, view.getUint32(row, true), bytes);
    const length = 8 + key + bytes;
    const next = addEntry(heap, chunk, entry, at, length, length);
    if (next !== entry) at += length;
    entry = next;
  }
  tell(heap, chunk, at, (entry - entries) / ENTRY);
}

function addEntry(
  heap: Heap,
  chunk: Chunk,
  entry: number,
  record: number,
  length: number,
  stored: number,
): number {
  const { view } = heap;
  // Where it is not wanted, the next one takes its place.
  putPrefix(heap, entry, record, length);
  chunk.records++;
  if (stored > chunk.longest) chunk.longest = stored;
  if (heap.order.hashing) chunk.hash += hashOf(heap, record, stored);
  if (chunk.hasThreshold && isBehind(view, entry, chunk)) return entry;
  view.setUint32(entry + ENTRY_RECORD, record, true);
  view.setUint32(entry + ENTRY_LENGTH, length, true);
  if (chunk.disorder < 0) noteOrder(heap, chunk, entry, record, length);
  return entry + ENTRY;
}

function isBehind(view: DataView, entry: number, chunk: Chunk): boolean {
  const high = view.getUint32(entry + ENTRY_HIGH, true);
  return high === chunk.thresholdHigh
    ? view.getUint32(entry, true) > chunk.thresholdLow
    : high > chunk.thresholdHigh;
}

/** The hash of a record as it is put out, without its key. */
export function hashOf(heap: Heap, record: number, stored: number): bigint {
  if (heap.order.layout !== "keyed") {
    return hashBytes(heap.view, record, stored);
  }
  const head = 8 + heap.view.getUint32(record, true);
  return hashBytes(heap.view, record + head, stored - head);
}

function noteOrder(
  heap: Heap,
  chunk: Chunk,
  entry: number,
  record: number,
  length: number,
): void {
  const low = heap.view.getUint32(entry, true);
  const high = heap.view.getUint32(entry + ENTRY_HIGH, true);
  if (chunk.records > 1) {
    const sameHigh = high === chunk.lastHigh;
    let order = sameHigh ? chunk.lastLow - low : chunk.lastHigh - high;
    if (order === 0) {
      order = compareRecords(
        heap,
        chunk.lastRecord,
        chunk.lastLength,
        record,
        length,
      );
    }
    if (order > 0 || (order === 0 && chunk.refuseEqual)) {
      chunk.disorder = chunk.records - 1;
    }
  }
  chunk.lastRecord = record;
  chunk.lastLength = length;
  chunk.lastHigh = high;
  chunk.lastLow = low;
}

function tell(heap: Heap, chunk: Chunk, consumed: number, made: number): void {
  const { view } = heap;
  view.setUint32(RESULT, consumed, true);
  view.setUint32(RESULT + 4, made, true);
  view.setUint32(RESULT + 8, chunk.records, true);
  view.setUint32(RESULT + 12, chunk.longest, true);
  view.setInt32(RESULT + 16, chunk.disorder, true);
  view.setBigUint64(RESULT + 24, BigInt.asUintN(64, chunk.hash), true);
}
