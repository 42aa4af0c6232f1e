import { RESULT, type Kernel } from "../kernel/kernel.ts";
import type { ExtractRoom } from "./extractor.ts";
import { KeyWriter } from "./key-writer.ts";

/** Collects records and their keys until there is no more room. */
export class RowTable {
  readonly #kernel: Kernel;
  readonly #room: ExtractRoom;
  #keysAt: number;
  #bytes = 0;
  rows = 0;

  constructor(kernel: Kernel, room: ExtractRoom) {
    this.#kernel = kernel;
    this.#room = room;
    this.#keysAt = room.keys;
  }

  /** What is left of the room. */
  get room(): ExtractRoom {
    const { table, rows, keysEnd, bytes } = this.#room;
    return {
      table: table + 16 * this.rows,
      rows: rows - this.rows,
      keys: this.#keysAt,
      keysEnd,
      bytes: bytes - this.#bytes,
    };
  }

  /** Takes the rows over that the kernel has put into the room left; returns up to where it consumed. */
  adopt(): number {
    const { view } = this.#kernel;
    this.rows += view.getUint32(RESULT + 4, true);
    this.#keysAt = view.getUint32(RESULT + 8, true);
    this.#bytes += view.getUint32(RESULT + 12, true);
    return view.getUint32(RESULT, true);
  }

  /** Adds a record with the key that `write` makes; false when there was no room for it. */
  add(
    record: number,
    bytes: number,
    write: (writer: KeyWriter) => void,
  ): boolean {
    const room = this.#room;
    if (this.rows === room.rows) return false;
    const writer = new KeyWriter(
      this.#kernel.bytes,
      this.#keysAt,
      room.keysEnd,
    );
    write(writer);
    const key = writer.at - this.#keysAt;
    const stored = 8 + key + bytes;
    if (writer.isOver || this.#bytes + stored > room.bytes) return false;
    const { view } = this.#kernel;
    const row = room.table + 16 * this.rows;
    view.setUint32(row, record, true);
    view.setUint32(row + 4, bytes, true);
    view.setUint32(row + 8, this.#keysAt, true);
    view.setUint32(row + 12, key, true);
    this.#keysAt = writer.at;
    this.#bytes += stored;
    this.rows++;
    return true;
  }
}
