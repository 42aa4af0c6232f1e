/** The address of the first `byte` in [from, end), or `end`; eight are looked at together. */
export function findByte(
  view: DataView,
  byte: number,
  from: number,
  end: number,
): number {
  const pattern = Math.imul(byte, 0x01010101);
  let at = from;
  while (at + 8 <= end) {
    const first = zeros(view.getInt32(at, true) ^ pattern);
    if (first !== 0) return at + placeOf(first);
    const second = zeros(view.getInt32(at + 4, true) ^ pattern);
    if (second !== 0) return at + 4 + placeOf(second);
    at += 8;
  }
  while (at < end && view.getUint8(at) !== byte) at++;
  return at;
}

/** Not 0 where one of the four bytes is; its lowest bit is that of the first such byte. */
function zeros(bytes: number): number {
  return (bytes - 0x01010101) & ~bytes & 0x80808080;
}

function placeOf(found: number): number {
  return (31 - Math.clz32(found & -found)) >>> 3;
}

/** memcmp of what lies behind the first `same` bytes, and then the shorter one first. May read 3 bytes past the ends. */
export function compareBytes(
  view: DataView,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
  same = 0,
): number {
  const shared = aLength < bLength ? aLength : bLength;
  let at = same;
  while (at + 4 <= shared) {
    const left = view.getUint32(a + at);
    const right = view.getUint32(b + at);
    if (left !== right) return left < right ? -1 : 1;
    at += 4;
  }
  if (at < shared) {
    const spare = 8 * (4 - (shared - at));
    const left = view.getUint32(a + at) >>> spare;
    const right = view.getUint32(b + at) >>> spare;
    if (left !== right) return left < right ? -1 : 1;
  }
  return aLength - bLength;
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

/** Writes 7 bytes and their count as an entry has them, see `../assembly/bytes.ts`; `flip` is -1 or 0. */
export function putBytesPrefix(
  view: DataView,
  target: number,
  start: number,
  length: number,
  flip: number,
): void {
  let high = 0;
  let low = length;
  if (length > 7) {
    high = view.getInt32(start);
    low = (view.getInt32(start + 4) & ~0xff) | 8;
  } else if (length > 4) {
    const spare = 8 * (8 - length);
    high = view.getInt32(start);
    low = ((view.getInt32(start + 4) >>> spare) << spare) | length;
  } else if (length > 0) {
    const spare = 8 * (4 - length);
    high = (view.getInt32(start) >>> spare) << spare;
  }
  view.setInt32(target, low ^ flip, true);
  view.setInt32(target + 4, high ^ flip, true);
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
