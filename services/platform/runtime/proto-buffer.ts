/**
 * A protobuf message being written, in one buffer that grows up to `limit` bytes and is used again.
 *
 * Lengths of nested messages are written into three bytes kept free before them (a varint may be longer than it need be:
 * "Encoding", protobuf.dev), so nothing is encoded twice or copied.
 */
export class ProtoBuffer {
  #bytes: Buffer;
  #at = 0;

  constructor(size = 16_384) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#at;
  }

  /** What has been written, as a copy; the buffer is empty then. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  /** Fields that are encoded already. */
  append(fields: Buffer): void {
    this.#reserve(fields.length);
    this.#bytes.set(fields, this.#at);
    this.#at += fields.length;
  }

  /** Opens a nested message; `end` takes what this returns. A nested message may have up to 2 MiB. */
  begin(field: number): number {
    this.#reserve(8);
    this.#tag(field, 2);
    this.#at += 3;
    return this.#at;
  }

  end(start: number): void {
    const length = this.#at - start;
    this.#bytes[start - 3] = (length & 0x7f) | 0x80;
    this.#bytes[start - 2] = ((length >>> 7) & 0x7f) | 0x80;
    this.#bytes[start - 1] = (length >>> 14) & 0x7f;
  }

  /** A string; nothing if it is empty. */
  string(field: number, value: string): void {
    if (value !== "") {
      this.presentString(field, value);
    }
  }

  /** A string, written even if it is empty: a member of a oneof. */
  presentString(field: number, value: string): void {
    // A UTF-16 unit becomes three bytes at most.
    this.#reserve(8 + value.length * 3);
    const start = this.begin(field);
    this.#at += this.#bytes.write(value, this.#at, "utf8");
    this.end(start);
  }

  /** Bytes given as hex digits; nothing if there are none. */
  hex(field: number, digits: string): void {
    if (digits !== "") {
      this.#reserve(8 + digits.length);
      this.#tag(field, 2);
      this.#bytes[this.#at] = digits.length / 2;
      this.#at += 1 + this.#bytes.write(digits, this.#at + 1, "hex");
    }
  }

  /** A whole number up to 2^53; nothing if it is 0. */
  varint(field: number, value: number): void {
    if (value !== 0) {
      this.presentVarint(field, value);
    }
  }

  presentVarint(field: number, value: number): void {
    this.#reserve(16);
    this.#tag(field, 0);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  fixed32(field: number, value: number): void {
    this.#reserve(8);
    this.#tag(field, 5);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  fixed64(field: number, high: number, low: number): void {
    this.#reserve(16);
    this.#tag(field, 1);
    this.#at = this.#bytes.writeUInt32LE(low, this.#at);
    this.#at = this.#bytes.writeUInt32LE(high, this.#at);
  }

  double(field: number, value: number): void {
    this.#reserve(16);
    this.#tag(field, 1);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  #tag(field: number, wireType: number): void {
    const tag = (field << 3) | wireType;
    if (tag < 0x80) {
      this.#bytes[this.#at++] = tag;
    } else {
      this.#bytes[this.#at++] = (tag & 0x7f) | 0x80;
      this.#bytes[this.#at++] = tag >>> 7;
    }
  }

  #reserve(more: number): void {
    if (this.#at + more > this.#bytes.length) {
      const size = Math.max(this.#bytes.length * 2, this.#at + more);
      const grown = Buffer.allocUnsafeSlow(size);
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
  }
}
