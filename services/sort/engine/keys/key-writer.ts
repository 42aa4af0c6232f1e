/**
 * Writes keys whose bytes are their order. Parts of a key follow each other, each ended so that no part is the start of
 * another; a descending part is written with every bit turned round.
 */
export class KeyWriter {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #mask = 0;
  /** There was no room: what was written is worth nothing. */
  isOver = false;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  /** Turns all that follows round, or back. */
  set isDescending(is: boolean) {
    this.#mask = is ? 255 : 0;
  }

  invert(): void {
    this.#mask ^= 255;
  }

  put(byte: number): void {
    if (this.#at < this.#end) this.#bytes[this.#at++] = byte ^ this.#mask;
    else this.isOver = true;
  }

  /** Bytes that need no escape, at once. */
  putAll({ view, from, to }: Span): void {
    if (to - from > this.#end - this.#at) {
      this.isOver = true;
      return;
    }
    const bytes = this.#bytes;
    const mask = this.#mask;
    let target = this.#at;
    for (let at = from; at < to; at++) {
      bytes[target++] = view.getUint8(at) ^ mask;
    }
    this.#at = target;
  }

  putU32(value: number): void {
    this.put(value >>> 24);
    this.put((value >>> 16) & 255);
    this.put((value >>> 8) & 255);
    this.put(value & 255);
  }
}

/** A part of memory that holds the text of a key. */
export interface Span {
  readonly view: DataView;
  readonly from: number;
  readonly to: number;
}
