/**
 * Streams by id, with the methods of `Map` that Node's HTTP/2 sessions use. It is no `Map`, because of how V8's grows: it makes
 * a new table, and the old one, streams and all, points to the new. Once one old table has grown old enough to be collected
 * seldom, every later one lives as long, with each stream that was open when it was made.
 */
export class StreamTable<Stream> {
  readonly #streams: Record<number, Stream> = {};
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    return this.#streams[id];
  }

  has(id: number): boolean {
    return this.#streams[id] !== undefined;
  }

  set(id: number, stream: Stream): this {
    if (!this.has(id)) this.#size += 1;
    this.#streams[id] = stream;
    return this;
  }

  delete(id: number): boolean {
    if (!this.has(id)) return false;
    this.#size -= 1;
    // Nothing else takes the key away; a table of a long connection would grow without end.
    // oxlint-disable-next-line typescript/no-dynamic-delete
    return delete this.#streams[id];
  }

  forEach(visit: (stream: Stream, id: number) => void): void {
    for (const [id, stream] of Object.entries(this.#streams))
      visit(stream, Number(id));
  }
}
