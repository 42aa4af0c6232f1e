/** The frames of HTTP/2 (RFC 9113, section 6) that a client of unary gRPC calls meets. */
export const FrameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

const HEADER_BYTES = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** A frame's payload is `bytes` from `start` to `end`. */
export type FrameRead = (
  type: number,
  flags: number,
  stream: number,
  start: number,
  end: number,
) => void;

/** Tells of every whole frame, and returns what is left of one that is not. */
export function readFrames(bytes: Buffer, each: FrameRead): Buffer {
  let at = 0;
  while (bytes.length - at >= HEADER_BYTES) {
    const start = at + HEADER_BYTES;
    const end = start + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const stream = bytes.readUInt32BE(at + 5) & 0x7f_ff_ff_ff;
    // There is room for a header.
    each(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, stream, start, end);
    at = end;
  }
  return bytes.subarray(at);
}

/** The two frames of a unary gRPC request, made once and written for a stream after the other. */
export interface RequestFrames {
  readonly length: number;
  /** Writes them for a stream into `bytes` at `at`. */
  write(bytes: Buffer, at: number, stream: number): void;
}

export function requestFrames(path: string, message: Buffer): RequestFrames {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const headers = frame(FrameType.headers, END_HEADERS, 0, headerBlock(path));
  const data = frame(
    FrameType.data,
    END_STREAM,
    0,
    Buffer.concat([prefix, message]),
  );
  const both = Buffer.concat([headers, data]);
  return {
    length: both.length,
    write(bytes, at, stream) {
      both.copy(bytes, at);
      bytes.writeUInt32BE(stream, at + 5);
      bytes.writeUInt32BE(stream, at + headers.length + 5);
    },
  };
}

/** HPACK (RFC 7541) without its dynamic table: names and values by the static one, or as they are. */
function headerBlock(path: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x83, 0x87]), // :method POST, :scheme https
    Buffer.from([0x04]), // :path
    text(path),
    Buffer.from([0x01]), // :authority
    text("localhost"),
    Buffer.from([0x0f, 0x10]), // content-type
    text("application/grpc"),
    Buffer.from([0x00]),
    text("te"),
    text("trailers"),
  ]);
}

/** A string of less than 127 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}
