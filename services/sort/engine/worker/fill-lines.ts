import { ENTRY, NO_THRESHOLD, parsed, type Parsed } from "../kernel/kernel.ts";
import { sortError } from "../sort-error.ts";
import { layOutChunk, workArea, type Area, type ChunkLayout } from "./arena.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import { READ_BYTES, type Chunk, type WorkerDeps } from "./chunk.ts";
import type { ChunkSource } from "./tasks.ts";

/** What the arena is laid out by. The least arena has room for it below its entries, however short the lines are. */
const SAMPLE_BYTES = 65_536;

/** Fills the arena with whole lines or fixed records that begin in the source's range, and makes their entries. */
export function fillLines(
  deps: WorkerDeps,
  source: ChunkSource,
  reader: ChunkReader,
  strict = false,
): Chunk {
  const filling = new Filling(deps, source, reader);
  deps.kernel.startChunk(
    strict,
    deps.order.unique === "no" ? deps.control.threshold() : NO_THRESHOLD,
  );
  filling.begin();
  while (filling.step());
  return filling.chunk();
}

class Filling {
  readonly #deps: WorkerDeps;
  readonly #source: ChunkSource;
  readonly #reader: ChunkReader;
  readonly #area: Area;
  #layout: ChunkLayout;
  /** The next free byte, and the first one that is not parsed. */
  #filled: number;
  #parsedTo: number;
  #start: number;
  #startLimit: number;
  #made = 0;
  #records = 0;
  #atEnd = false;
  #isCompleted = false;
  #last: Parsed | undefined;

  constructor(deps: WorkerDeps, source: ChunkSource, reader: ChunkReader) {
    this.#deps = deps;
    this.#source = source;
    this.#reader = reader;
    this.#area = workArea(deps.setup.arenaBytes);
    this.#layout = layOutChunk(this.#area, 64);
    this.#filled = this.#area.start;
    this.#parsedTo = this.#area.start;
    this.#start = source.from;
    this.#startLimit = 0;
  }

  /** Reads a sample, and lays the arena out by what it shows: only then is it known how far the bytes may reach. */
  begin(): void {
    const bytes = this.#read(SAMPLE_BYTES);
    const average = this.#averageRecord(this.#area.start, bytes);
    this.#layout = layOutChunk(this.#area, average);
    this.#startLimit = Math.min(
      this.#area.start + this.#source.to - this.#start,
      0xffff_ffff,
    );
    if (bytes > 0) this.#parse();
  }

  /** Reads and parses on; false when the range, the input, the arena or its entries are at their end. */
  step(): boolean {
    if (this.#atEnd || this.#parsedTo >= this.#startLimit) return false;
    if (this.#made === this.#layout.capacity) return false;
    const room = this.#layout.data.end - this.#filled;
    if (room <= 0) return false;
    this.#deps.control.throwIfCancelled();
    if (this.#read(Math.min(READ_BYTES, room)) === 0) {
      this.#atEnd = true;
      this.#complete();
    }
    this.#parse();
    return true;
  }

  chunk(): Chunk {
    const isLong = (this.#last?.longest ?? 0) > this.#deps.setup.maxRecordBytes;
    if (isLong) this.#refuseLongRecord();
    const { kernel } = this.#deps;
    const entries = this.#layout.entries;
    return {
      entries,
      spare: entries + this.#made * ENTRY,
      count: this.#made,
      records: this.#last?.records ?? 0,
      longest: this.#last?.longest ?? 0,
      disorder: this.#last?.disorder ?? -1,
      hash: this.#last?.hash ?? 0n,
      start: this.#start,
      consumedTo:
        this.#start +
        (this.#parsedTo - this.#area.start) -
        (this.#isCompleted ? 1 : 0),
      atEnd: this.#atEnd,
      isCompleted: this.#isCompleted,
      carry:
        this.#source.kind === "pipe"
          ? kernel.bytes.slice(this.#parsedTo, this.#filled)
          : new Uint8Array(),
    };
  }

  /** Up to the range's end in large pieces; behind it only the record that crosses it is still wanted. */
  #read(room: number): number {
    const left = this.#source.to - this.#reader.position;
    // A long record is searched from its start after each read, so reads grow with it.
    const behind = Math.max(65_536, this.#filled - this.#parsedTo);
    const most = Math.min(room, left > 0 ? left : behind);
    const target = this.#deps.kernel.bytes.subarray(
      this.#filled,
      this.#filled + most,
    );
    const bytes = this.#reader.read(target);
    this.#filled += bytes;
    return bytes;
  }

  #parse(): void {
    const { kernel, order, control } = this.#deps;
    const entries = this.#layout.entries + this.#made * ENTRY;
    const left = this.#layout.capacity - this.#made;
    const from = this.#parsedTo;
    if (order.layout === "fixed") {
      const limit = Math.min(this.#filled, this.#startLimit);
      kernel.parseFixed(from, limit, entries, left);
    } else {
      kernel.parseLines(from, this.#filled, this.#startLimit, entries, left);
    }
    const now = parsed(kernel);
    this.#last = now;
    this.#parsedTo = now.consumed;
    this.#made += now.made;
    control.addRead(now.consumed - from, now.records - this.#records);
    this.#records = now.records;
    if (this.#filled - this.#parsedTo > this.#deps.setup.maxRecordBytes) {
      const isWanted = this.#parsedTo < this.#startLimit && left > now.made;
      if (isWanted) this.#refuseLongRecord();
    }
  }

  /** The last line of an input gets the delimiter that it lacks, as GNU sort does. */
  #complete(): void {
    const { kernel, order } = this.#deps;
    if (this.#filled === this.#parsedTo) return;
    if (order.layout === "fixed") {
      throw sortError(
        "INPUT_TRUNCATED",
        `${this.#reader.name} ends within a record of ${order.recordBytes} bytes`,
        { metadata: { input: this.#reader.name } },
      );
    }
    kernel.view.setUint8(this.#filled++, order.delimiter);
    this.#isCompleted = true;
  }

  #refuseLongRecord(): never {
    const { maxRecordBytes } = this.#deps.setup;
    const { name } = this.#reader;
    throw sortError(
      "RECORD_TOO_LONG",
      `${name} has a record of more than ${maxRecordBytes} bytes, the most that this memory budget allows`,
      { metadata: { input: name, limit: String(maxRecordBytes) } },
    );
  }

  #averageRecord(from: number, bytes: number): number {
    const { order, kernel } = this.#deps;
    if (order.layout === "fixed") return order.recordBytes;
    const sample = kernel.bytes.subarray(from, from + bytes);
    let lines = 0;
    for (const byte of sample) if (byte === order.delimiter) lines++;
    return sample.length / Math.max(1, lines) || 64;
  }
}
