import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { encodeIndex, RunIndexBuilder } from "../run-file.ts";
import { outArea } from "./arena.ts";
import type { WorkerDeps } from "./chunk.ts";

/** Writes a run: block by block from the arena, then the index. It has its name only when it is whole. */
export class RunWriter implements Disposable {
  readonly #deps: WorkerDeps;
  readonly #path: string;
  readonly #partial: string;
  readonly #index = new RunIndexBuilder();
  #fd: number | undefined;
  #offset = 0;
  #outOffset = 0;
  #tempBytes = 0;

  constructor(deps: WorkerDeps, path: string) {
    this.#deps = deps;
    this.#path = path;
    this.#partial = `${path}.partial`;
    this.#fd = openSync(this.#partial, "w");
  }

  get bytes(): number {
    return this.#offset;
  }

  get outBytes(): number {
    return this.#outOffset;
  }

  get tempBytes(): number {
    return this.#tempBytes;
  }

  /** Notes a block of whole records in the arena, which `write` must follow in the same order. */
  add(from: number, bytes: number, outBytes: number, prefix: bigint): void {
    const block = this.#deps.kernel.bytes.subarray(from, from + bytes);
    this.#index.add(this.#offset, this.#outOffset, prefix, crc32(block));
    this.#offset += bytes;
    this.#outOffset += outBytes;
  }

  write(from: number, bytes: number): void {
    this.#append(this.#deps.kernel.bytes.subarray(from, from + bytes));
  }

  finish(): void {
    this.#append(encodeIndex(this.#index.build(this.#offset, this.#outOffset)));
    if (this.#fd === undefined) return;
    if (this.#deps.setup.durable) fsyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = undefined;
    renameSync(this.#partial, this.#path);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #append(bytes: Uint8Array): void {
    const { control } = this.#deps;
    control.throwIfCancelled();
    control.takeTemp(bytes.length);
    this.#tempBytes += bytes.length;
    writeAll(this.#fd ?? -1, bytes);
  }
}

/** Writes all of it, at a position or where the file is; a full disk throws. */
export function writeAll(
  fd: number,
  bytes: Uint8Array,
  position: number | null = null,
): void {
  let done = 0;
  while (done < bytes.length) {
    const at = position === null ? null : position + done;
    done += writeSync(fd, bytes, done, bytes.length - done, at);
  }
}

/** The room that blocks are gathered in before they are written. */
export const GATHER = outArea();
