import type { Heap } from "./heap.ts";

/** The address of the first `byte` in [from, end), or `end`; four are looked at together. */
export function findByte(
  view: DataView,
  byte: number,
  from: number,
  end: number,
): number {
  const pattern = Math.imul(byte, 0x01010101);
  let at = from;
  while (at + 4 <= end) {
    const others = view.getInt32(at, true) ^ pattern;
    // Not 0 where one of the four bytes is.
    if (((others - 0x01010101) & ~others & 0x80808080) !== 0) break;
    at += 4;
  }
  while (at < end && view.getUint8(at) !== byte) at++;
  return at;
}

/** memcmp, and then the shorter one first. */
export function compareBytes(
  view: DataView,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  const shared = Math.min(aLength, bLength);
  const same = commonBytes(view, a, b, 0, shared);
  return same < shared
    ? view.getUint8(a + same) - view.getUint8(b + same)
    : aLength - bLength;
}

/** How many of the first `limit` bytes are the same, when those before `from` are. */
export function commonBytes(
  view: DataView,
  a: number,
  b: number,
  from: number,
  limit: number,
): number {
  let at = from;
  while (at + 4 <= limit && view.getUint32(a + at) === view.getUint32(b + at)) {
    at += 4;
  }
  while (at < limit && view.getUint8(a + at) === view.getUint8(b + at)) at++;
  return at;
}

/** See `../assembly/bytes.ts`: 7 bytes and their count. */
export function setBytesPrefix(
  heap: Heap,
  start: number,
  length: number,
): void {
  const { view } = heap;
  if (length > 7) {
    heap.high = view.getUint32(start);
    heap.low = ((view.getUint32(start + 4) & 0xffffff00) | 8) >>> 0;
  } else if (length > 4) {
    const spare = 8 * (8 - length);
    heap.high = view.getUint32(start);
    heap.low =
      (((view.getUint32(start + 4) >>> spare) << spare) | length) >>> 0;
  } else if (length > 0) {
    const spare = 8 * (4 - length);
    heap.high = ((view.getUint32(start) >>> spare) << spare) >>> 0;
    heap.low = length;
  } else {
    heap.high = 0;
    heap.low = 0;
  }
}

const MIX = 0x9e3779b97f4a7c15n;
const ALL = 0xffff_ffff_ffff_ffffn;

/** The same hash as the WebAssembly kernel's; bigints make it slow, which only `verify` pays for. */
export function hashBytes(
  view: DataView,
  start: number,
  length: number,
): bigint {
  let hash = (BigInt(length + 1) * MIX) & ALL;
  const whole = start + (length - (length % 8));
  for (let at = start; at < whole; at += 8) {
    hash = mix(hash ^ view.getBigUint64(at, true));
  }
  let last = 0n;
  for (let i = 0; i < length % 8; i++) {
    last |= BigInt(view.getUint8(whole + i)) << BigInt(8 * i);
  }
  hash = mix(hash ^ last);
  return hash ^ (hash >> 32n);
}

function mix(value: bigint): bigint {
  return ((((value << 29n) | (value >> 35n)) & ALL) * MIX) & ALL;
}
