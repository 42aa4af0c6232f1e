import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { sortError } from "../sort-error.ts";
import type { Compression } from "../sort-spec.ts";
import { compressionOf, inputError, type KnownInput } from "./inputs.ts";
import { untilAborted } from "./until-aborted.ts";

const RANGE_BYTES = 4 << 20;
const RANGES_AHEAD = 4;
/** As many as tell gzip and zstd from other bytes. */
const MAGIC_BYTES = 4;

type Buffered = Uint8Array<ArrayBuffer>;
type RangesInput = Extract<KnownInput["input"], { kind: "ranges" }>;

/** The records' bytes of an input in order, decompressed, from an offset on. Once the signal aborts, a silent source is not waited for. */
export async function* inputBytes(
  known: KnownInput,
  from: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const pieces = bytesFrom(known, from, signal);
  try {
    for (;;) {
      const { value, done } = await untilAborted(pieces.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    const ended = pieces.return(undefined);
    // A source hears of its end only once it has something to say.
    if (signal.aborted) ended.catch(() => {});
    else await ended;
  }
}

async function* bytesFrom(
  known: KnownInput,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, undefined> {
  const { input } = known;
  if (input.kind === "ranges") {
    yield* readAhead(input, from, signal);
    return undefined;
  }
  let skip = from;
  for await (const piece of decompressed(known, signal)) {
    const wanted = piece.subarray(Math.min(skip, piece.length));
    skip -= piece.length - wanted.length;
    if (wanted.length > 0) yield wanted;
  }
  return undefined;
}

async function* decompressed(
  known: KnownInput,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { compression, raw } = await lookInto(known, rawBytes(known, signal));
  if (compression === "none") {
    yield* raw;
    return;
  }
  const decoder =
    compression === "gzip" ? createGunzip() : createZstdDecompress();
  // The decoder's own reads below throw what fails.
  pipeline(raw, decoder, () => {});
  try {
    yield* decoder;
  } catch (error) {
    throw decodeError(known.name, compression, error);
  }
}

/** How bytes are compressed, from the first of them on. */
async function lookInto(
  { compression }: KnownInput,
  raw: Readable,
): Promise<{ compression: Compression; raw: AsyncIterable<Uint8Array> }> {
  if (compression !== "auto") return { compression, raw };
  const pieces: AsyncIterator<Uint8Array> = raw[Symbol.asyncIterator]();
  let head = new Uint8Array();
  while (head.length < MAGIC_BYTES) {
    const { value, done } = await pieces.next();
    if (done) break;
    head = new Uint8Array(Buffer.concat([head, value]));
  }
  const whole = async function* () {
    yield head;
    yield* { [Symbol.asyncIterator]: () => pieces };
  };
  return { compression: compressionOf(head), raw: whole() };
}

function rawBytes(known: KnownInput, signal: AbortSignal): Readable {
  const { input } = known;
  if (input.kind === "stream") return Readable.from(input.open(signal));
  return createReadStream(known.name, { highWaterMark: 1 << 20, signal });
}

function decodeError(
  name: string,
  compression: Compression,
  error: unknown,
): unknown {
  const code =
    error instanceof Error && "code" in error ? String(error.code) : "";
  const metadata = { input: name, compression };
  if (code === "Z_BUF_ERROR" || code === "ZSTD_error_srcSize_wrong") {
    return sortError(
      "INPUT_TRUNCATED",
      `${name} ends before its ${compression} data does`,
      { cause: error, metadata },
    );
  }
  if (code.startsWith("Z_") || code.startsWith("ZSTD_")) {
    return sortError(
      "INPUT_MALFORMED",
      `${name} is not whole ${compression} data: ${code}`,
      { cause: error, metadata },
    );
  }
  return inputError(name, error);
}

/**
 * Several ranges on their way at once, given out in order. Each has a buffer that is used again: what is given out is good
 * until the next is asked for.
 */
async function* readAhead(
  input: RangesInput,
  from: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const free = Array.from(
    { length: RANGES_AHEAD },
    () => new Uint8Array(Math.min(RANGE_BYTES, input.size - from)),
  );
  const waiting: Promise<Buffered>[] = [];
  let next = from;
  const start = () => {
    const buffer = next < input.size && free.pop();
    if (!buffer) return;
    const end = Math.min(next + buffer.length, input.size);
    const range = readRange(input, next, end, buffer, signal);
    // Whoever comes to it later sees its error.
    range.catch(() => {});
    waiting.push(range);
    next = end;
  };
  for (let i = 0; i < RANGES_AHEAD; i++) start();
  for (let range = waiting.shift(); range; range = waiting.shift()) {
    const bytes = await range;
    yield bytes;
    free.push(new Uint8Array(bytes.buffer));
    start();
  }
}

async function readRange(
  input: RangesInput,
  start: number,
  end: number,
  buffer: Buffered,
  signal: AbortSignal,
): Promise<Buffered> {
  const bytes = buffer.subarray(0, end - start);
  let at = 0;
  for await (const piece of input.read(start, end, signal)) {
    if (at + piece.length > bytes.length) break;
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at !== bytes.length) {
    throw sortError(
      "INPUT_CHANGED",
      `${input.name} gave ${at} of the bytes ${start} to ${end}`,
      { metadata: { input: input.name } },
    );
  }
  return bytes;
}
