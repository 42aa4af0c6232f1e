/** Copies 16 bytes at a time; may write up to 15 bytes past the end, which every buffer leaves room for. */
export function copyBytes(target: u32, source: u32, length: u32): void {
  if (length > 512) {
    memory.copy(target, source, length);
    return;
  }
  const end = source + length;
  while (source < end) {
    v128.store(target, v128.load(source));
    source += 16;
    target += 16;
  }
}

/** memcmp, and then the shorter one first. */
export function compareBytes(a: u32, aLength: u32, b: u32, bLength: u32): i32 {
  const shared = min(aLength, bLength);
  const same = commonBytes(a, b, 0, shared);
  if (same < shared) {
    return <i32>load<u8>(a + same) - <i32>load<u8>(b + same);
  }
  return aLength < bLength ? -1 : aLength > bLength ? 1 : 0;
}

/** How many of the first `limit` bytes are the same, when those before `from` are. */
export function commonBytes(a: u32, b: u32, from: u32, limit: u32): u32 {
  let at = from;
  while (at < limit) {
    const difference = load<u64>(a + at) ^ load<u64>(b + at);
    if (difference !== 0) {
      return min(at + <u32>(ctz(difference) >> 3), limit);
    }
    at += 8;
  }
  return limit;
}

/**
 * The first 7 bytes as a number whose order is theirs. The lowest byte counts them (8: there are more), which tells
 * "a" from "a\0" and a key that is told in full from one that is not.
 */
export function bytesPrefix(start: u32, length: u32): u64 {
  if (length === 0) {
    return 0;
  }
  const bytes = bswap(load<u64>(start));
  if (length > 7) {
    return (bytes & ~(<u64>0xff)) | 8;
  }
  const spare = 64 - ((<u64>length) << 3);
  return ((bytes >> spare) << spare) | (<u64>length);
}

const MIX: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;

/** A hash whose sum over all records no order changes. */
export function hashBytes(start: u32, length: u32): u64 {
  let hash = (<u64>length + 1) * MIX;
  let at = start;
  const whole = start + (length & ~(<u32>7));
  while (at < whole) {
    hash = rotl(hash ^ load<u64>(at), 29) * MIX;
    at += 8;
  }
  let last: u64 = 0;
  const rest = length & 7;
  for (let i: u32 = 0; i < rest; i++) {
    last |= (<u64>load<u8>(at + i)) << (i << 3);
  }
  hash = rotl(hash ^ last, 29) * MIX;
  return hash ^ (hash >> 32);
}
