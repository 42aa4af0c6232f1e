import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A message as its fields, in order; nested messages where `nested` says so, other bytes as hex. */
type Field = readonly [number, unknown];
type Nested = { readonly [field: number]: Nested | undefined };

const value: Nested = {
  5: {
    get 1() {
      return value;
    },
  },
};
const pair: Nested = { 2: value };
const span: Nested = {
  9: pair,
  11: { 3: pair },
  13: { 4: pair },
  15: {},
};
const request: Nested = {
  1: { 1: { 1: pair }, 2: { 1: { 3: pair }, 2: span } },
};

export interface DecodedSpan {
  readonly resource: unknown;
  readonly scope: unknown;
  readonly span: unknown;
}

/** Every span of `ExportTraceServiceRequest` messages, with its resource and scope, sorted by its bytes. */
export function decodeTraces(requests: readonly Buffer[]): DecodedSpan[] {
  const spans: DecodedSpan[] = [];
  for (const [, resourceSpans] of requests.flatMap((r) => decode(r, request))) {
    const resource = only(resourceSpans, 1);
    for (const scopeSpans of every(resourceSpans, 2)) {
      const scope = only(scopeSpans, 1);
      for (const one of every(scopeSpans, 2)) {
        spans.push({ resource, scope, span: one });
      }
    }
  }
  const key = (decoded: DecodedSpan) => JSON.stringify(decoded);
  return spans.toSorted((a, b) => key(a).localeCompare(key(b)));
}

function decode(bytes: Uint8Array, nested: Nested): Field[] {
  const reader = new BinaryReader(bytes);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const content = read(reader, wireType, nested[field]);
    // A zero that is written means the same as none, except in a oneof, which AnyValue is.
    if (content !== "0" || nested === value) {
      fields.push([field, content]);
    }
  }
  return fields.toSorted(([a], [b]) => a - b);
}

function read(
  reader: BinaryReader,
  wireType: WireType,
  nested: Nested | undefined,
): unknown {
  switch (wireType) {
    case WireType.Varint:
      return String(reader.uint64());
    case WireType.Bit64:
      return String(reader.fixed64());
    case WireType.Bit32:
      return reader.fixed32();
    case WireType.LengthDelimited: {
      const bytes = reader.bytes();
      return nested
        ? decode(bytes, nested)
        : Buffer.from(bytes).toString("latin1");
    }
    default:
      throw new Error(`wire type ${wireType} is not used by OTLP`);
  }
}

function every(message: unknown, number: number): unknown[] {
  // `decode` makes messages of nothing else.
  return (message as Field[])
    .filter(([field]) => field === number)
    .map(([, content]) => content);
}

function only(message: unknown, number: number): unknown {
  return every(message, number)[0];
}
