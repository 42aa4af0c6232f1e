import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Kernel } from "../kernel/kernel.ts";
import { corrupt, type RunIndex } from "../run-file.ts";
import type { Area } from "./arena.ts";

/** Reads a run's blocks into an area of the arena, as many at once as fit, and checks each. */
export class BlockReader implements Disposable {
  readonly #kernel: Kernel;
  readonly #path: string;
  readonly #index: RunIndex;
  readonly #fd: number;

  constructor(kernel: Kernel, path: string, index: RunIndex) {
    this.#kernel = kernel;
    this.#path = path;
    this.#index = index;
    this.#fd = openSync(path, "r");
  }

  /** Reads blocks from `first` on; returns how many. At least one must fit. */
  read(first: number, area: Area): number {
    const { offsets, blocks } = this.#index;
    const begin = offsets[first] ?? 0;
    let next = first;
    while (next < blocks && this.#end(next) - begin <= area.end - area.start) {
      next++;
    }
    const bytes = (offsets[next] ?? 0) - begin;
    this.#readBytes(area.start, bytes, begin);
    for (let block = first; block < next; block++) {
      const from = area.start + (offsets[block] ?? 0) - begin;
      const to = area.start + this.#end(block) - begin;
      const crc = crc32(this.#kernel.bytes.subarray(from, to));
      if (crc !== this.#index.crcs[block]) throw corrupt(this.#path);
    }
    return next - first;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #end(block: number): number {
    return this.#index.offsets[block + 1] ?? 0;
  }

  #readBytes(target: number, bytes: number, position: number): void {
    let done = 0;
    while (done < bytes) {
      const got = readSync(
        this.#fd,
        this.#kernel.bytes,
        target + done,
        bytes - done,
        position + done,
      );
      if (got === 0) throw corrupt(this.#path);
      done += got;
    }
  }
}
