import type { ExtractInput, ExtractRoom } from "../keys/extractor.ts";

/**
 * The inner loops of a sort over one memory: WebAssembly where there is one, TypeScript elsewhere; the same tests run
 * on both. Arguments are byte addresses. What a call has more than one of to say it leaves at {@link RESULT}.
 *
 * An entry of a sort is 16 bytes: 8 of an order-preserving prefix, the record's address, its length. The first
 * {@link ARENA} bytes are the kernel's own; every buffer needs {@link SLACK} bytes behind it, for 16 are copied at a time.
 */
export interface Kernel {
  readonly name: "wasm" | "typescript";
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;

  configure(order: KernelOrder): void;

  /** Begins a chunk. `refuseEqual`: equal neighbours are a disorder too. Records behind `threshold` get no entry. */
  startChunk(refuseEqual: boolean, threshold: bigint): void;
  /** Entries of the whole lines that start in [from, startLimit) and end before `limit`; see {@link parsed}. */
  parseLines(
    from: number,
    limit: number,
    startLimit: number,
    entries: number,
    capacity: number,
  ): void;
  parseFixed(
    from: number,
    limit: number,
    entries: number,
    capacity: number,
  ): void;
  /** Puts keyed records together; each row of `table` is [record][bytes][key][bytes], a u32 each. */
  assembleKeyed(
    table: number,
    rows: number,
    target: number,
    entries: number,
  ): void;

  /**
   * Takes rows of CSV in as far as it can do so quickly, which may be not at all: whole ones without quotes, their key the
   * bytes of one column. [consumed up to][rows taken][end of keys][bytes stored].
   */
  takePlainRows(
    input: ExtractInput,
    room: ExtractRoom,
    rule: PlainColumn,
  ): void;

  /** Stable. `spare` is as large as the entries. */
  sortEntries(entries: number, spare: number, count: number): void;
  /** Keeps one of entries with equal keys; returns how many stay. */
  dropEqual(entries: number, count: number, keepLast: boolean): number;
  /** Copies records in entry order until `target` is full: [entries copied][bytes written]. */
  gather(
    entries: number,
    count: number,
    target: number,
    capacity: number,
  ): void;

  /** `strip` leaves keys out of what is written; `hold` is room for the longest record where equal ones are dropped. */
  startMerge(
    state: number,
    sources: number,
    strip: boolean,
    hold: number,
    limit: bigint,
  ): void;
  /** Whole records, or (from = end) the source's end. */
  feedSource(source: number, from: number, end: number): void;
  buildTree(): void;
  resumeSource(source: number): void;
  /** 0: target is full. -1: done. 1 + i: source i needs feeding. [bytes written][][records, u64][hash, u64]. */
  merge(target: number, capacity: number): number;
  /** The first record not before `wanted` (`after`: behind it), by whole order or by keys only. */
  findRecord(
    from: number,
    end: number,
    wanted: number,
    wantedLength: number,
    after: boolean,
    keysOnly: boolean,
  ): number;

  prefixOf(record: number, length: number): bigint;
  lengthAt(record: number, end: number): number;
}

/** A column of text, whose bytes are turned round (255) or not (0). */
export interface PlainColumn {
  readonly separator: number;
  readonly column: number;
  readonly mask: 0 | 255;
}

export const RESULT = 65_536;
export const ARENA = 196_608;
export const SLACK = 64;
export const ENTRY = 16;
/** What a merge's state takes for each source. */
export const SOURCE = 36;
export const NO_THRESHOLD = 0xffff_ffff_ffff_ffffn;

export interface KernelOrder {
  readonly layout: "lines" | "fixed" | "keyed" | "numeric";
  readonly delimiter: number;
  readonly recordBytes: number;
  readonly keyOffset: number;
  readonly keyBytes: number;
  /** Turns the order of keys round. */
  readonly reverse: boolean;
  /** What decides between equal keys: input order, or the whole record's bytes. */
  readonly tie: "none" | "bytes" | "reversed-bytes";
  readonly unique: "no" | "first" | "last";
  /** Sums a hash of every record read and merged. */
  readonly hashing: boolean;
}

export const LAYOUTS = ["lines", "fixed", "keyed", "numeric"] as const;
export const TIES = ["none", "bytes", "reversed-bytes"] as const;
export const UNIQUES = ["no", "first", "last"] as const;

export interface Parsed {
  /** The address behind the last record that was taken, or behind what was assembled. */
  readonly consumed: number;
  readonly made: number;
  /** Records of the chunk so far. */
  readonly records: number;
  readonly longest: number;
  /** The index of the first record that is not behind its predecessor, or -1. */
  readonly disorder: number;
  readonly hash: bigint;
}

/** What the last parse or assembly left. */
export function parsed({ view }: Kernel): Parsed {
  return {
    consumed: view.getUint32(RESULT, true),
    made: view.getUint32(RESULT + 4, true),
    records: view.getUint32(RESULT + 8, true),
    longest: view.getUint32(RESULT + 12, true),
    disorder: view.getInt32(RESULT + 16, true),
    hash: view.getBigUint64(RESULT + 24, true),
  };
}

/** How many bytes a record of this length takes in a run and in the arena. */
export function storedBytes(order: KernelOrder, length: number): number {
  return order.layout === "fixed" || order.layout === "keyed"
    ? length
    : length + 1;
}
