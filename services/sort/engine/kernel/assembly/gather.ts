import { copyBytes } from "./bytes";
import { FETCH, fetchRecords } from "./fetch";
import { FIXED, KEYED, layout, RESULT } from "./order";
import { compareKeys } from "./records";

/** How many bytes a record takes in a run. */
export function storedBytes(length: u32): u32 {
  return layout === FIXED || layout === KEYED ? length : length + 1;
}

/**
 * Copies records in the order of their entries until `target` is full. Result: [entries copied][bytes written].
 * None copied means that the next record alone is larger than `capacity`.
 */
export function gather(
  entries: u32,
  count: u32,
  target: u32,
  capacity: u32,
): void {
  const end = entries + (count << 4);
  const full = target + capacity;
  let entry = entries;
  let at = target;
  let fetched = entries;
  while (entry < end) {
    if (entry === fetched) {
      fetchRecords(entry, min(entry + FETCH, end), 0);
      fetched += FETCH;
    }
    const bytes = storedBytes(load<u32>(entry, 12));
    if (at + bytes > full) break;
    copyBytes(at, load<u32>(entry, 8), bytes);
    at += bytes;
    entry += 16;
  }
  store<u32>(RESULT, (entry - entries) >> 4);
  store<u32>(RESULT, at - target, 4);
}

/** Drops all but the first, or the last, of entries with equal keys; returns how many stay. */
export function dropEqual(entries: u32, count: u32, keepLast: u32): u32 {
  if (count === 0) return 0;
  const end = entries + (count << 4);
  let kept = entries;
  for (let entry = entries + 16; entry < end; entry += 16) {
    const same =
      compareKeys(
        load<u32>(kept, 8),
        load<u32>(kept, 12),
        load<u32>(entry, 8),
        load<u32>(entry, 12),
      ) === 0;
    if (!same) kept += 16;
    if (!same || keepLast) v128.store(kept, v128.load(entry));
  }
  return ((kept - entries) >> 4) + 1;
}
