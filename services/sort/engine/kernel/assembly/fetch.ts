import { RESULT } from "./order";

/** The entries that are fetched at once, in bytes. */
export const FETCH: u32 = 512;

/**
 * Reads a byte at an offset and one at the end of each of the next records: they lie anywhere, and so short a loop waits
 * for many of them at once.
 */
export function fetchRecords(entries: u32, end: u32, offset: u32): void {
  let sum: u32 = 0;
  for (let entry = entries; entry < end; entry += 16) {
    const record = load<u32>(entry, 8);
    sum ^= load<u8>(record + offset) ^ load<u8>(record + load<u32>(entry, 12));
  }
  // What nobody needs would not be read.
  store<u32>(RESULT, sum, 64);
}

/** Nobody waits for the byte, and what comes with it is near later. */
export function fetchByte(address: u32): void {
  store<u32>(RESULT, load<u8>(address), 64);
}
