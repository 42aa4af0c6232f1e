import { ENTRY, NO_THRESHOLD, parsed, SLACK } from "../kernel/kernel.ts";
import type { DomainError } from "../../../platform/runtime/errors.ts";
import { RecordFault, type Extractor } from "../keys/extractor.ts";
import { sortError } from "../sort-error.ts";
import { layOutChunk, workArea, type Area } from "./arena.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import type { Chunk, WorkerDeps } from "./chunk.ts";
import { lineOf } from "./line-of.ts";
import type { ChunkSource } from "./tasks.ts";

const PIECE = 1 << 20;
const ROWS = 32_768;

/** Raw bytes pass through `stage`; records stay in `chunk` together with the keys made from them. */
interface KeyedLayout {
  readonly stage: Area;
  readonly table: number;
  readonly keys: Area;
  readonly chunk: Area;
}

function layOut(deps: WorkerDeps): KeyedLayout {
  const { start, end } = workArea(deps.setup.arenaBytes);
  const buffer = deps.setup.maxRecordBytes + PIECE;
  const stage = { start, end: start + buffer };
  const table = stage.end + SLACK;
  const keys = table + ROWS * 16 + SLACK;
  return {
    stage,
    table,
    keys: { start: keys, end: keys + buffer },
    chunk: { start: keys + buffer + SLACK, end },
  };
}

/** Fills the arena with keyed records that begin in the source's range, and makes their entries. */
export function fillKeyed(
  deps: WorkerDeps,
  extractor: Extractor,
  source: ChunkSource,
  reader: ChunkReader,
  strict = false,
): Chunk {
  deps.kernel.startChunk(
    strict,
    deps.order.unique === "no" ? deps.control.threshold() : NO_THRESHOLD,
  );
  const filling = new Filling(deps, extractor, source, reader);
  while (filling.step());
  return filling.chunk();
}

class Filling {
  readonly #deps: WorkerDeps;
  readonly #extractor: Extractor;
  readonly #source: ChunkSource;
  readonly #reader: ChunkReader;
  readonly #layout: KeyedLayout;
  readonly #entries: number;
  readonly #capacity: number;
  readonly #dataEnd: number;
  /** Of the stage: up to where it is filled. It always begins with a record's first byte, at `position` of the input. */
  #filled: number;
  #position: number;
  #at: number;
  #made = 0;
  #records = 0;
  #atEnd = false;
  #isCompleted = false;
  #isFull = false;

  constructor(
    deps: WorkerDeps,
    extractor: Extractor,
    source: ChunkSource,
    reader: ChunkReader,
  ) {
    this.#deps = deps;
    this.#extractor = extractor;
    this.#source = source;
    this.#reader = reader;
    this.#layout = layOut(deps);
    const chunk = layOutChunk(this.#layout.chunk, 80);
    this.#entries = chunk.entries;
    this.#capacity = chunk.capacity;
    this.#dataEnd = chunk.data.end;
    this.#filled = this.#layout.stage.start;
    this.#position = source.from;
    this.#at = chunk.data.start;
  }

  /** Reads a piece and takes its records in; false at the end of range, input or arena. */
  step(): boolean {
    const { stage } = this.#layout;
    if (this.#isFull || this.#atEnd || this.#position >= this.#source.to) {
      return false;
    }
    this.#deps.control.throwIfCancelled();
    const room = Math.min(PIECE, stage.end - this.#filled);
    if (room === 0) this.#refuseLongRecord();
    const left = this.#source.to - this.#reader.position;
    const most = left > 0 ? Math.min(room, left) : Math.min(room, 65_536);
    const bytes = this.#reader.read(
      this.#deps.kernel.bytes.subarray(this.#filled, this.#filled + most),
    );
    this.#filled += bytes;
    if (bytes === 0) this.#complete();
    this.#takeIn();
    return true;
  }

  chunk(): Chunk {
    const { kernel } = this.#deps;
    const last = parsed(kernel);
    const isEmpty = this.#records === 0;
    return {
      entries: this.#entries,
      spare: this.#entries + this.#made * ENTRY,
      count: this.#made,
      records: this.#records,
      longest: isEmpty ? 0 : last.longest,
      disorder: isEmpty ? -1 : last.disorder,
      hash: isEmpty ? 0n : last.hash,
      start: this.#source.from,
      consumedTo: this.#position,
      atEnd: this.#atEnd && this.#filled === this.#layout.stage.start,
      isCompleted: this.#isCompleted,
      carry:
        this.#source.kind === "pipe"
          ? kernel.bytes.slice(this.#layout.stage.start, this.#filled)
          : new Uint8Array(),
    };
  }

  #takeIn(): void {
    for (;;) {
      const { consumed, rows, isFull } = this.#extract();
      if (rows > 0) this.#assemble(rows);
      this.#dropConsumed(consumed);
      if (this.#isFull) return;
      if (!isFull) {
        this.#refuseRest();
        return;
      }
      if (rows === 0) {
        // The arena is full; or, with nothing in it, too small for this record.
        if (this.#made === 0) this.#refuseLongRecord();
        this.#isFull = true;
        return;
      }
    }
  }

  /** At the input's end only a quote that is not closed can leave something. */
  #refuseRest(): void {
    const { start } = this.#layout.stage;
    const isRange = this.#position < this.#source.to;
    if (!this.#atEnd || this.#filled === start || !isRange) return;
    const message = "the input ends within a quoted field";
    throw this.#explain(new RecordFault("INPUT_MALFORMED", start, message));
  }

  #extract() {
    const { stage, table, keys } = this.#layout;
    const entriesLeft = this.#capacity - this.#made;
    try {
      return this.#extractor.extract(
        this.#deps.kernel,
        {
          from: stage.start,
          limit: this.#filled,
          startLimit: Math.min(
            stage.start + this.#source.to - this.#position,
            0xffff_ffff,
          ),
        },
        {
          table,
          rows: Math.min(ROWS, entriesLeft),
          keys: keys.start,
          keysEnd: keys.end,
          bytes: this.#dataEnd - this.#at,
        },
      );
    } catch (error) {
      throw error instanceof RecordFault ? this.#explain(error) : error;
    }
  }

  #assemble(rows: number): void {
    const { kernel, control } = this.#deps;
    const entries = this.#entries + this.#made * ENTRY;
    kernel.assembleKeyed(this.#layout.table, rows, this.#at, entries);
    const now = parsed(kernel);
    this.#at = now.consumed;
    this.#made += now.made;
    control.addRead(0, now.records - this.#records);
    this.#records = now.records;
    if (this.#made === this.#capacity) this.#isFull = true;
    if (now.longest > this.#deps.setup.maxRecordBytes) {
      this.#refuseLongRecord();
    }
  }

  #dropConsumed(consumed: number): void {
    const { stage } = this.#layout;
    const bytes = consumed - stage.start;
    this.#deps.kernel.bytes.copyWithin(stage.start, consumed, this.#filled);
    this.#filled -= bytes;
    this.#position += bytes;
    this.#deps.control.addRead(bytes, 0);
    if (this.#isCompleted && this.#filled === stage.start) this.#position--;
  }

  #complete(): void {
    this.#atEnd = true;
    if (this.#filled === this.#layout.stage.start || this.#isCompleted) return;
    this.#deps.kernel.view.setUint8(this.#filled++, this.#extractor.delimiter);
    this.#isCompleted = true;
  }

  #explain(fault: RecordFault): DomainError {
    const offset = this.#position + fault.record - this.#layout.stage.start;
    const line =
      this.#source.kind === "file"
        ? lineOf(this.#source.path, offset)
        : undefined;
    const where = line === undefined ? `byte ${offset}` : `line ${line}`;
    return sortError(
      fault.fault,
      `${this.#reader.name}, ${where}: ${fault.message}`,
      {
        cause: fault,
        metadata: {
          input: this.#reader.name,
          offset: String(offset),
          ...(line === undefined ? {} : { line: String(line) }),
        },
      },
    );
  }

  #refuseLongRecord(): never {
    const { maxRecordBytes } = this.#deps.setup;
    throw sortError(
      "RECORD_TOO_LONG",
      `${this.#reader.name} has a record of more than ${maxRecordBytes} bytes with its key, the most that this memory budget allows`,
      {
        metadata: { input: this.#reader.name, limit: String(maxRecordBytes) },
      },
    );
  }
}
