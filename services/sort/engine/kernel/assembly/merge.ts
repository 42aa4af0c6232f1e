import { copyBytes } from "./bytes";
import { fetchByte } from "./fetch";
import { storedBytes } from "./gather";
import {
  delimiter,
  FIXED,
  hashing,
  KEYED,
  layout,
  LINES,
  NUMERIC,
  recordBytes,
  RESULT,
  unique,
} from "./order";
import { hashOf } from "./parse";
import {
  compareKeys,
  compareRecords,
  compareSamePrefixes,
  nextPrefixOf,
  prefixOf,
} from "./records";

/**
 * A source is [record][end of buffer][length][is at its end][prefix][next prefix]; the tree of losers follows them. The next
 * prefix is of the bytes behind those of the first, which sorted text needs at every second comparison.
 */
const SOURCE: u32 = 32;
/** How far ahead of a record its source's bytes are asked for. */
const AHEAD: u32 = 256;

/** What `merge` stops for; 1 + i asks for more of source i. */
const FULL: i32 = 0;
const DONE: i32 = -1;

let sources: u32 = 0;
let tree: u32 = 0;
let count: u32 = 0;
let strip: bool = false;
/** A copy of the record that is kept back while others with its key may follow (unique). */
let hold: u32 = 0;
let holdLength: u32 = 0;
let isHolding: bool = false;
let recordsLeft: u64 = 0;
let recordsOut: u64 = 0;
let hash: u64 = 0;

/** Starts a merge of `newCount` sources; each must be given bytes or its end by `feedSource` before `buildTree`. */
export function startMerge(
  state: u32,
  newCount: u32,
  newStrip: u32,
  newHold: u32,
  limit: u64,
): void {
  sources = state;
  count = newCount;
  tree = state + newCount * SOURCE;
  strip = newStrip !== 0;
  hold = newHold;
  isHolding = false;
  recordsLeft = limit;
  recordsOut = 0;
  hash = 0;
}

/** Gives a source its next whole records, or, with none, its end. */
export function feedSource(index: u32, from: u32, end: u32): void {
  const source = sources + index * SOURCE;
  store<u32>(source, from);
  store<u32>(source, end, 4);
  store<u32>(source, from === end ? 1 : 0, 12);
  if (from !== end) {
    readRecord(source);
    return;
  }
  // Behind all others, or beside the last of them, which `isFirstOfSame` tells it from.
  store<u64>(source, ~(<u64>0), 16);
  store<u64>(source, ~(<u64>0), 24);
}

export function buildTree(): void {
  for (let i: u32 = 0; i < count; i++) store<i32>(tree + (i << 2), -1);
  for (let i: u32 = 0; i < count; i++) {
    let winner = <i32>i;
    let node = (i + count) >> 1;
    while (node > 0) {
      const place = tree + (node << 2);
      const other = load<i32>(place);
      if (other < 0) {
        store<i32>(place, winner);
        winner = -1;
        break;
      }
      if (isFirst(other, winner)) {
        store<i32>(place, winner);
        winner = other;
      }
      node >>= 1;
    }
    if (winner >= 0) store<i32>(tree, winner);
  }
}

/** After `feedSource` of the source that `merge` stopped for. */
export function resumeSource(index: u32): void {
  advance(<i32>index);
}

/** Finds the next winner, when the record of the last one is another. */
function advance(winner: i32): void {
  if (layout === FIXED || layout === NUMERIC) replay(winner);
  else replayText(winner);
}

/** Writes the next records to `target`. The result is [bytes written][..][records out, u64][their hash, u64]. */
export function merge(target: u32, capacity: u32): i32 {
  const full = target + capacity;
  let at = target;
  let stop = FULL;
  while (true) {
    const winner = load<i32>(tree);
    const source = sources + <u32>winner * SOURCE;
    if (load<u32>(source, 12) !== 0 || recordsLeft === 0) {
      if (isHolding && recordsLeft !== 0) {
        if (at + holdLength > full) break;
        at = emit(at, hold, holdLength);
        isHolding = false;
      }
      stop = DONE;
      break;
    }
    const record = load<u32>(source);
    const length = load<u32>(source, 8);
    const stored = storedBytes(length);
    if (unique === 0) {
      if (at + stored > full) break;
      at = emit(at, record, stored);
    } else if (!isHolding || !hasHeldKey(record, length)) {
      if (isHolding) {
        if (at + holdLength > full) break;
        at = emit(at, hold, holdLength);
        if (recordsLeft === 0) continue;
      }
      keep(record, stored);
    } else if (unique === 2) {
      keep(record, stored);
    }
    const next = record + stored;
    store<u32>(source, next);
    if (next === load<u32>(source, 4)) {
      stop = winner + 1;
      break;
    }
    readRecord(source);
    advance(winner);
  }
  store<u32>(RESULT, at - target);
  store<u64>(RESULT, recordsOut, 8);
  store<u64>(RESULT, hash, 16);
  return stop;
}

function emit(at: u32, record: u32, stored: u32): u32 {
  recordsLeft--;
  recordsOut++;
  if (hashing) hash += hashOf(record, stored);
  if (strip && layout === KEYED) {
    const head = 8 + load<u32>(record);
    record += head;
    stored -= head;
  }
  copyBytes(at, record, stored);
  return at + stored;
}

function keep(record: u32, stored: u32): void {
  copyBytes(hold, record, stored);
  holdLength = stored;
  isHolding = true;
}

function hasHeldKey(record: u32, length: u32): bool {
  const held = holdLength - storedBytes(0);
  return compareKeys(hold, held, record, length) === 0;
}

function readRecord(source: u32): void {
  const record = load<u32>(source);
  const end = load<u32>(source, 4);
  const length = lengthAt(record, end);
  // Lines of so many sources are not in the caches else, when their turn comes. Fixed records were slower with it.
  if (layout === LINES || layout === NUMERIC)
    fetchByte(min(record + AHEAD, end));
  store<u32>(source, length, 8);
  store<u64>(source, prefixOf(record, length), 16);
  store<u64>(source, nextPrefixOf(record, length), 24);
}

/** The length of the whole record at an address. */
export function lengthAt(record: u32, end: u32): u32 {
  if (layout === KEYED) {
    return 8 + load<u32>(record) + load<u32>(record, 4);
  }
  if (layout === FIXED) {
    return recordBytes;
  }
  const pattern = i8x16.splat(<u8>delimiter);
  let at = record;
  while (at < end) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(at), pattern));
    if (found !== 0) return at + <u32>ctz(found) - record;
    at += 16;
  }
  return end - record;
}

function isFirst(a: i32, b: i32): bool {
  const left = sources + <u32>a * SOURCE;
  const right = sources + <u32>b * SOURCE;
  const prefix = load<u64>(left, 16);
  const otherPrefix = load<u64>(right, 16);
  if (prefix !== otherPrefix) return prefix < otherPrefix;
  const next = load<u64>(left, 24);
  const otherNext = load<u64>(right, 24);
  if (next !== otherNext) return next < otherNext;
  return isFirstOfSame(a, b, prefix, next);
}

/** Of sources whose prefixes and next prefixes are the same; one at its end has the last that there are. */
function isFirstOfSame(a: i32, b: i32, prefix: u64, next: u64): bool {
  const left = sources + <u32>a * SOURCE;
  const right = sources + <u32>b * SOURCE;
  if (load<u32>(left, 12) !== 0) return false;
  if (load<u32>(right, 12) !== 0) return true;
  const order = compareSamePrefixes(
    prefix,
    next,
    load<u32>(left),
    load<u32>(left, 8),
    load<u32>(right),
    load<u32>(right, 8),
  );
  return order === 0 ? a < b : order < 0;
}

/**
 * Who wins is as good as random, so nothing branches on it: a wrong guess costs more than a level's comparison. What the
 * prefixes do not tell is compared apart, and rare, but for text, which `replayText` is for.
 */
function replay(from: i32): void {
  let winner = from;
  let node = (<u32>from + count) >> 1;
  let prefix = load<u64>(sources + <u32>from * SOURCE, 16);
  while (node > 0) {
    const place = tree + (node << 2);
    const other = load<i32>(place);
    const otherPrefix = load<u64>(sources + <u32>other * SOURCE, 16);
    let isOther = otherPrefix < prefix;
    if (otherPrefix === prefix) isOther = isFirst(other, winner);
    store<i32>(place, select<i32>(winner, other, isOther));
    winner = select<i32>(other, winner, isOther);
    prefix = select<u64>(otherPrefix, prefix, isOther);
    node >>= 1;
  }
  store<i32>(tree, winner);
}

/** As `replay`; the prefix and the next one are compared as one number. */
function replayText(from: i32): void {
  let winner = from;
  let node = (<u32>from + count) >> 1;
  const source = sources + <u32>from * SOURCE;
  let prefix = load<u64>(source, 16);
  let next = load<u64>(source, 24);
  while (node > 0) {
    const place = tree + (node << 2);
    const other = load<i32>(place);
    const otherSource = sources + <u32>other * SOURCE;
    const otherPrefix = load<u64>(otherSource, 16);
    const otherNext = load<u64>(otherSource, 24);
    let isOther =
      (<i32>(otherPrefix < prefix)) |
      ((<i32>(otherPrefix === prefix)) & (<i32>(otherNext < next)));
    if (((otherPrefix ^ prefix) | (otherNext ^ next)) === 0) {
      isOther = <i32>isFirstOfSame(other, winner, prefix, next);
    }
    store<i32>(place, select<i32>(winner, other, isOther));
    winner = select<i32>(other, winner, isOther);
    prefix = select<u64>(otherPrefix, prefix, isOther);
    next = select<u64>(otherNext, next, isOther);
    node >>= 1;
  }
  store<i32>(tree, winner);
}

/** The first record in [from, end) that is not before `wanted` (or, with `after`, is behind it); `end` if none is. */
export function findRecord(
  from: u32,
  end: u32,
  wanted: u32,
  wantedLength: u32,
  after: u32,
  keysOnly: u32,
): u32 {
  let at = from;
  while (at < end) {
    const length = lengthAt(at, end);
    const order = keysOnly
      ? compareKeys(at, length, wanted, wantedLength)
      : compareRecords(at, length, wanted, wantedLength);
    if (after ? order > 0 : order >= 0) return at;
    at += storedBytes(length);
  }
  return end;
}
