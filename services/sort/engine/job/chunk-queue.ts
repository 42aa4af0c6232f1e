/** A part of an input that a worker may take: records that begin in [from, to). */
export interface ChunkItem {
  readonly input: number;
  readonly from: number;
  readonly to: number;
  /** Of a piped input: what the last worker had left over. */
  readonly carry: Uint8Array;
}

/** Chunks that wait for a worker. While one is being read, what it leaves may still come. */
export class ChunkQueue {
  readonly #items: ChunkItem[];
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(items: readonly ChunkItem[]) {
    this.#items = [...items];
  }

  /** The next chunk; undefined once there can be no more. Each taken one must be told to `wasRead`. */
  async take(): Promise<ChunkItem | undefined> {
    while (this.#items.length === 0 && this.#reading > 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const item = this.#items.shift();
    if (item) this.#reading++;
    return item;
  }

  wasRead(rest?: ChunkItem): void {
    this.#reading--;
    if (rest) this.#items.unshift(rest);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
