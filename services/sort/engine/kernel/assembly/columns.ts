import { RESULT } from "./order";

const QUOTE: u8 = 34;
const LF: u8 = 10;
const CR: u8 = 13;
/** What `putField` of the keys writes before a value. */
const VALUE: u8 = 1;

/**
 * Takes rows of CSV in as long as they are whole, have no quotes, and have a column that is text without NULs: its bytes
 * become the key, each turned round by `mask`. Result: [consumed up to][rows taken][end of keys][bytes stored].
 */
export function takePlainRows(
  from: u32,
  limit: u32,
  startLimit: u32,
  separator: u32,
  column: u32,
  mask: u32,
  table: u32,
  rows: u32,
  keys: u32,
  keysEnd: u32,
  room: u32,
): void {
  const separators = i8x16.splat(<u8>separator);
  const tableEnd = table + (rows << 4);
  let row = table;
  let start = from;
  let key = keys;
  let stored: u32 = 0;
  while (start < limit && start < startLimit && row < tableEnd) {
    let field = start;
    let fieldEnd: u32 = 0;
    let lineEnd: u32 = 0;
    let passed: u32 = 0;
    let at = start;
    let hasQuotes = false;
    while (at < limit) {
      const bytes = v128.load(at);
      let edges = <u32>i8x16.bitmask(i8x16.eq(bytes, separators));
      let ends = <u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(LF)));
      const quotes = <u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(QUOTE)));
      if (at + 16 > limit) ends &= (1 << (limit - at)) - 1;
      // Only what lies before the row's end is the row's.
      const inRow = ends === 0 ? 0xffff : (ends & (0 - ends)) - 1;
      if ((quotes & inRow) !== 0) {
        hasQuotes = true;
        break;
      }
      edges &= inRow;
      while (fieldEnd === 0 && edges !== 0) {
        const edge = at + <u32>ctz(edges);
        edges &= edges - 1;
        if (passed === column) {
          fieldEnd = edge;
        } else {
          passed++;
          field = edge + 1;
        }
      }
      if (ends !== 0) {
        lineEnd = at + <u32>ctz(ends);
        break;
      }
      at += 16;
    }
    if (hasQuotes || lineEnd === 0 || passed !== column) break;
    if (fieldEnd === 0) {
      const isCrLf = lineEnd > field && load<u8>(lineEnd - 1) === CR;
      fieldEnd = isCrLf ? lineEnd - 1 : lineEnd;
    }
    const length = fieldEnd - field;
    const bytes = lineEnd + 1 - start;
    const needed: u32 = length + bytes + 11;
    if (length + 3 > keysEnd - key || needed > room - stored) break;
    if (!putText(key, field, length, <u8>mask)) break;
    store<u32>(row, start);
    store<u32>(row, bytes, 4);
    store<u32>(row, key, 8);
    store<u32>(row, length + 3, 12);
    row += 16;
    key += length + 3;
    stored += needed;
    start = lineEnd + 1;
  }
  store<u32>(RESULT, start);
  store<u32>(RESULT, (row - table) >> 4, 4);
  store<u32>(RESULT, key, 8);
  store<u32>(RESULT, stored, 12);
}

/** False where the text holds a NUL, which needs an escape. May write up to 15 bytes behind the key. */
function putText(target: u32, text: u32, length: u32, mask: u8): bool {
  const masks = i8x16.splat(mask);
  store<u8>(target, VALUE);
  const key = target + 1;
  for (let done: u32 = 0; done < length; done += 16) {
    const bytes = v128.load(text + done);
    let nuls = <u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0)));
    if (done + 16 > length) nuls &= (1 << (length - done)) - 1;
    if (nuls !== 0) return false;
    v128.store(key + done, v128.xor(bytes, masks));
  }
  store<u8>(key + length, mask);
  store<u8>(key + length + 1, mask);
  return true;
}
