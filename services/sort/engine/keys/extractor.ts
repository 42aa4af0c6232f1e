import type { Kernel } from "../kernel/kernel.ts";

/** Finds records in a buffer and writes their keys: bytes whose order is the records'. */
export interface Extractor {
  /** What ends a record; one is added at an input's end where it is missing. */
  readonly delimiter: number;
  extract(kernel: Kernel, input: ExtractInput, room: ExtractRoom): Extracted;
}

export interface ExtractInput {
  readonly from: number;
  readonly limit: number;
  /** Records that begin here or behind are not wanted. */
  readonly startLimit: number;
}

export interface ExtractRoom {
  /** Rows of four u32: [record][bytes][key][bytes]. */
  readonly table: number;
  readonly rows: number;
  readonly keys: number;
  readonly keysEnd: number;
  /** What records and keys, with 8 bytes each, may take together. */
  readonly bytes: number;
}

export interface Extracted {
  readonly consumed: number;
  readonly rows: number;
  /** The room for rows, keys or bytes was at its end, not the input. */
  readonly isFull: boolean;
}

/** A record that cannot be read, by its address; whoever knows where that is in the input makes the error. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  readonly fault: "INPUT_MALFORMED" | "KEY_ABSENT";
  readonly record: number;

  constructor(
    fault: RecordFault["fault"],
    record: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.fault = fault;
    this.record = record;
  }
}
