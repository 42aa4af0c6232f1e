import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { sortError } from "./sort-error.ts";

/**
 * A run: sorted records, then their index, then a trailer. The index cuts the records into blocks of about
 * {@link BLOCK_BYTES}, each of whole records and with its own CRC-32, so that a merge can begin anywhere and notices
 * what a disk or a crash has spoilt. A run that was already sorted where it came from holds the index alone.
 */
export interface RunIndex {
  readonly blocks: number;
  /** Where each block begins in the file that holds the records; one more for the end. */
  readonly offsets: Float64Array<ArrayBuffer>;
  /** The bytes that the records before each block take in the output, which has no keys; one more for the end. */
  readonly outOffsets: Float64Array<ArrayBuffer>;
  /** The prefix of each block's first record. */
  readonly prefixes: BigUint64Array<ArrayBuffer>;
  readonly crcs: Uint32Array<ArrayBuffer>;
}

export const BLOCK_BYTES = 65_536;
/** What a block takes in an index. */
export const INDEX_BYTES = 28;
const MAGIC = 0x57_46_52_31;
const TRAILER = 32;
const FIRST_BLOCKS = 1024;

/** Grows outside of the heap, of which a worker has too little for the blocks of a long run. */
export class RunIndexBuilder {
  #blocks = 0;
  #offsets = new Float64Array(FIRST_BLOCKS);
  #outOffsets = new Float64Array(FIRST_BLOCKS);
  #prefixes = new BigUint64Array(FIRST_BLOCKS);
  #crcs = new Uint32Array(FIRST_BLOCKS);

  add(offset: number, outOffset: number, prefix: bigint, crc: number): void {
    // One is left for the end.
    if (this.#blocks + 1 === this.#crcs.length) this.#grow();
    this.#offsets[this.#blocks] = offset;
    this.#outOffsets[this.#blocks] = outOffset;
    this.#prefixes[this.#blocks] = prefix;
    this.#crcs[this.#blocks] = crc;
    this.#blocks++;
  }

  build(end: number, outEnd: number): RunIndex {
    const blocks = this.#blocks;
    this.#offsets[blocks] = end;
    this.#outOffsets[blocks] = outEnd;
    return {
      blocks,
      offsets: this.#offsets.slice(0, blocks + 1),
      outOffsets: this.#outOffsets.slice(0, blocks + 1),
      prefixes: this.#prefixes.slice(0, blocks),
      crcs: this.#crcs.slice(0, blocks),
    };
  }

  #grow(): void {
    const doubled = ({ buffer }: { readonly buffer: ArrayBuffer }) =>
      buffer.transfer(2 * buffer.byteLength);
    this.#offsets = new Float64Array(doubled(this.#offsets));
    this.#outOffsets = new Float64Array(doubled(this.#outOffsets));
    this.#prefixes = new BigUint64Array(doubled(this.#prefixes));
    this.#crcs = new Uint32Array(doubled(this.#crcs));
  }
}

/** The bytes of index and trailer. */
export function encodeIndex(index: RunIndex): Uint8Array {
  const parts = [
    index.offsets,
    index.outOffsets,
    index.prefixes,
    index.crcs,
  ].map((part) => new Uint8Array(part.buffer));
  const body = Buffer.concat(parts);
  const trailer = Buffer.alloc(TRAILER);
  trailer.writeUInt32LE(MAGIC, 0);
  trailer.writeUInt32LE(index.blocks, 4);
  trailer.writeUInt32LE(crc32(body), 8);
  trailer.writeDoubleLE(body.length, 16);
  return Buffer.concat([body, trailer]);
}

/** Reads a run's index; throws RUN_CORRUPT where it is not whole. */
export function readIndex(path: string): RunIndex {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const trailer = readExactly(fd, path, size - TRAILER, TRAILER);
    const blocks = trailer.readUInt32LE(4);
    const length = bodyBytes(blocks);
    if (
      trailer.readUInt32LE(0) !== MAGIC ||
      trailer.readDoubleLE(16) !== length
    ) {
      throw corrupt(path);
    }
    const body = readExactly(fd, path, size - TRAILER - length, length);
    if (crc32(body) !== trailer.readUInt32LE(8)) throw corrupt(path);
    return decodeIndex(body, blocks);
  } finally {
    closeSync(fd);
  }
}

function decodeIndex(body: Buffer, blocks: number): RunIndex {
  const buffer = new ArrayBuffer(body.length);
  new Uint8Array(buffer).set(body);
  const edges = 8 * (blocks + 1);
  return {
    blocks,
    offsets: new Float64Array(buffer, 0, blocks + 1),
    outOffsets: new Float64Array(buffer, edges, blocks + 1),
    prefixes: new BigUint64Array(buffer, 2 * edges, blocks),
    crcs: new Uint32Array(buffer, 2 * edges + 8 * blocks, blocks),
  };
}

function bodyBytes(blocks: number): number {
  return 16 * (blocks + 1) + 12 * blocks;
}

function readExactly(
  fd: number,
  path: string,
  position: number,
  length: number,
): Buffer {
  if (position < 0) throw corrupt(path);
  const bytes = Buffer.alloc(length);
  if (readSync(fd, bytes, 0, length, position) !== length) throw corrupt(path);
  return bytes;
}

export function corrupt(path: string) {
  return sortError("RUN_CORRUPT", `the run ${path} is not what was written`, {
    metadata: { run: path },
  });
}
