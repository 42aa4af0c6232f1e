/**
 * Streams that are being made, with the methods of `Set` that Node's HTTP/2 sessions use. Nearly always it holds one, for a
 * moment. A `Set` makes a new table after every few of them, and each old one points to the new: see `StreamTable`.
 */
export class StreamList<Stream extends object> {
  readonly #streams: Stream[] = [];

  get size(): number {
    return this.#streams.length;
  }

  add(stream: Stream): this {
    if (!this.#streams.includes(stream)) this.#streams.push(stream);
    return this;
  }

  delete(stream: Stream): boolean {
    const index = this.#streams.lastIndexOf(stream);
    if (index === -1) return false;
    const last = this.#streams.pop();
    if (last !== undefined && index < this.#streams.length)
      this.#streams[index] = last;
    return true;
  }

  /** Visits those that are there now: a stream that is destroyed takes itself away. */
  forEach(visit: (stream: Stream) => void): void {
    for (const stream of this.#streams.slice()) visit(stream);
  }
}
