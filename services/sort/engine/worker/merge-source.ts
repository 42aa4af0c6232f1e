import { SLACK } from "../kernel/kernel.ts";
import type { Area } from "./arena.ts";
import { BlockReader } from "./block-reader.ts";
import type { WorkerDeps } from "./chunk.ts";
import type { Slice } from "./tasks.ts";

/** A slice of a run on its way through a merge: its buffer, and the next block to read. */
export class MergeSource implements Disposable {
  readonly #reader: BlockReader;
  readonly #slice: Slice;
  readonly #area: Area;
  #block = 0;

  constructor(deps: WorkerDeps, slice: Slice, area: Area) {
    this.#slice = slice;
    this.#area = { start: area.start, end: area.end - SLACK };
    this.#reader = new BlockReader(deps.kernel, slice.data, slice.index);
  }

  /** Reads on; returns where its next records lie, which is nowhere (start = end) at its end. */
  refill(): Area {
    const { index, from, to } = this.#slice;
    const { start } = this.#area;
    if (this.#block >= index.blocks) return { start, end: start };
    const begin = index.offsets[this.#block] ?? 0;
    const read = this.#reader.read(this.#block, this.#area);
    if (read === 0)
      throw new Error("a merge's buffer is too small for a block");
    this.#block += read;
    const end = index.offsets[this.#block] ?? 0;
    return {
      start: start + Math.max(0, from - begin),
      end: start + Math.min(end, to) - begin,
    };
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}
