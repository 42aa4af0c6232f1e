import { sortError } from "../sort-error.ts";

/** Counters that all threads of a sort share; the main thread reads them for progress, and sets the first to cancel. */
const CANCELLED = 0;
const BYTES_READ = 1;
const RECORDS = 2;
const TEMP_NOW = 3;
const TEMP_WRITTEN = 4;
const BYTES_MERGED = 5;
const TEMP_LIMIT = 6;
const THRESHOLD = 7;
const SIZE = 8;

export interface Control {
  readonly shared: SharedArrayBuffer;
  cancel(): void;
  /** Throws CANCELLED once the sort is cancelled; workers ask between pieces of work. */
  throwIfCancelled(): void;
  addRead(bytes: number, records: number): void;
  addMerged(bytes: number): void;
  /** Counts bytes about to be written to a run (or an output that counts too), and throws TEMP_SPACE_SHORT before they exceed the budget. */
  takeTemp(bytes: number): void;
  freeTemp(bytes: number): void;
  setTempLimit(bytes: number): void;
  /** The prefix behind which no record can be among the first `top`; all ones before one is known. */
  threshold(): bigint;
  lowerThreshold(prefix: bigint): void;
  read(): ControlValues;
}

export interface ControlValues {
  readonly bytesRead: number;
  readonly records: number;
  readonly tempBytes: number;
  readonly tempBytesWritten: number;
  readonly bytesMerged: number;
}

const HIGHEST = 0xffff_ffff_ffff_ffffn;

export function newControl(): Control {
  const control = openControl(new SharedArrayBuffer(8 * SIZE));
  const counters = new BigUint64Array(control.shared);
  counters[THRESHOLD] = HIGHEST;
  counters[TEMP_LIMIT] = BigInt(Number.MAX_SAFE_INTEGER);
  return control;
}

export function openControl(shared: SharedArrayBuffer): Control {
  const counters = new BigUint64Array(shared);
  const get = (index: number) => Number(Atomics.load(counters, index));
  const add = (index: number, by: number) =>
    Number(Atomics.add(counters, index, BigInt(by))) + by;
  return {
    shared,
    cancel: () => Atomics.store(counters, CANCELLED, 1n),
    throwIfCancelled() {
      if (Atomics.load(counters, CANCELLED) !== 0n) {
        throw sortError("CANCELLED", "the sort was cancelled");
      }
    },
    addRead(bytes, records) {
      add(BYTES_READ, bytes);
      add(RECORDS, records);
    },
    addMerged: (bytes) => add(BYTES_MERGED, bytes),
    takeTemp(bytes) {
      const limit = get(TEMP_LIMIT);
      if (add(TEMP_NOW, bytes) > limit) {
        add(TEMP_NOW, -bytes);
        throw sortError(
          "TEMP_SPACE_SHORT",
          `the sort needs more than the ${limit} bytes of temporary space that it may take`,
          { metadata: { limit: String(limit) } },
        );
      }
      add(TEMP_WRITTEN, bytes);
    },
    freeTemp: (bytes) => add(TEMP_NOW, -bytes),
    setTempLimit: (bytes) =>
      Atomics.store(counters, TEMP_LIMIT, BigInt(Math.floor(bytes))),
    threshold: () => Atomics.load(counters, THRESHOLD),
    lowerThreshold(prefix) {
      let known = Atomics.load(counters, THRESHOLD);
      while (prefix < known) {
        const found = Atomics.compareExchange(
          counters,
          THRESHOLD,
          known,
          prefix,
        );
        if (found === known) return;
        known = found;
      }
    },
    read: () => ({
      bytesRead: get(BYTES_READ),
      records: get(RECORDS),
      tempBytes: get(TEMP_NOW),
      tempBytesWritten: get(TEMP_WRITTEN),
      bytesMerged: get(BYTES_MERGED),
    }),
  };
}
