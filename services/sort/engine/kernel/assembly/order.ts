// How records lie in memory and are compared; set once per instance by `configure`.
export const LINES: u32 = 0;
export const FIXED: u32 = 1;
/** [u32 key bytes][u32 record bytes][key][record]: the key is made so that its bytes are its order. */
export const KEYED: u32 = 2;
/** Lines ordered by the decimal at their start. */
export const NUMERIC: u32 = 3;

export const TIE_NONE: u32 = 0;
export const TIE_BYTES: u32 = 1;
export const TIE_REVERSED: u32 = 2;

/** Where calls leave what they have more than one of to say. */
export const RESULT: u32 = 65536;

export let layout: u32 = LINES;
export let delimiter: u32 = 10;
export let recordBytes: u32 = 0;
export let keyOffset: u32 = 0;
export let keyBytes: u32 = 0;
/** All ones to turn the order of keys round, else 0. */
export let flip: u64 = 0;
export let tie: u32 = TIE_NONE;
/** 0: no. 1: the first of equal keys is kept. 2: the last. */
export let unique: u32 = 0;
export let hashing: bool = false;

export function configure(
  newLayout: u32,
  newDelimiter: u32,
  newRecordBytes: u32,
  newKeyOffset: u32,
  newKeyBytes: u32,
  reverse: u32,
  newTie: u32,
  newUnique: u32,
  newHashing: u32,
): void {
  layout = newLayout;
  delimiter = newDelimiter;
  recordBytes = newRecordBytes;
  keyOffset = newKeyOffset;
  keyBytes = newKeyBytes;
  flip = reverse ? ~(<u64>0) : 0;
  tie = newTie;
  unique = newUnique;
  hashing = newHashing !== 0;
}
