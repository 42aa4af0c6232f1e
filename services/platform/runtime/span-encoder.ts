import type { Attributes, HrTime, Link } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { ProtoBuffer } from "./proto-buffer.ts";

/**
 * Writes a span as an `opentelemetry.proto.trace.v1.Span` (OTLP 1.x), as field 2 of a ScopeSpans message.
 *
 * Encoding a span when it ends lets go of it at once: spans that wait for their batch as objects outlive the young
 * generation, and collecting them took more CPU than the calls that they describe.
 */
export function encodeSpan(to: ProtoBuffer, span: ReadableSpan): void {
  const { traceId, spanId, traceState, traceFlags } = span.spanContext();
  const start = to.begin(2);
  to.hex(1, traceId);
  to.hex(2, spanId);
  to.string(3, traceState?.serialize() ?? "");
  to.hex(4, span.parentSpanContext?.spanId ?? "");
  to.string(5, span.name);
  // OTLP counts kinds from 1, with 0 for unspecified.
  to.varint(6, span.kind + 1);
  time(to, 7, span.startTime);
  time(to, 8, span.endTime);
  spanAttributes(to, span.attributes);
  to.varint(10, span.droppedAttributesCount);
  for (const event of span.events) {
    encodeEvent(to, event);
  }
  to.varint(12, span.droppedEventsCount);
  for (const link of span.links) {
    encodeLink(to, link);
  }
  to.varint(14, span.droppedLinksCount);
  const status = to.begin(15);
  to.string(2, span.status.message ?? "");
  to.varint(3, span.status.code);
  to.end(status);
  to.fixed32(16, flagsOf(traceFlags, span.parentSpanContext?.isRemote));
  to.end(start);
}

/** Of a span, in `opentelemetry.proto.trace.v1.Span`. */
const attributesField = 9;

const encodedOnce = new WeakMap<Attributes, Buffer>();

/** Attributes that many spans have in common: a span that has this very object is written with the bytes made here. */
export function sharedAttributes(values: Attributes): Attributes {
  const shared = Object.freeze(values);
  const encoded = new ProtoBuffer(256);
  attributes(encoded, attributesField, shared);
  encodedOnce.set(shared, encoded.take());
  return shared;
}

function spanAttributes(to: ProtoBuffer, values: Attributes): void {
  const encoded = encodedOnce.get(values);
  if (encoded) {
    to.append(encoded);
  } else {
    attributes(to, attributesField, values);
  }
}

/** Writes attributes as repeated `opentelemetry.proto.common.v1.KeyValue`. */
export function attributes(
  to: ProtoBuffer,
  field: number,
  values: Attributes,
): void {
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) {
      const pair = to.begin(field);
      to.string(1, key);
      encodeValue(to, 2, value);
      to.end(pair);
    }
  }
}

function encodeValue(to: ProtoBuffer, field: number, value: unknown): void {
  const start = to.begin(field);
  if (typeof value === "string") {
    to.presentString(1, value);
  } else if (typeof value === "boolean") {
    to.presentVarint(2, value ? 1 : 0);
  } else if (typeof value === "number") {
    if (Number.isSafeInteger(value) && value >= 0) {
      to.presentVarint(3, value);
    } else {
      to.double(4, value);
    }
  } else if (Array.isArray(value)) {
    const list = to.begin(5);
    for (const item of value) {
      encodeValue(to, 1, item);
    }
    to.end(list);
  }
  to.end(start);
}

function encodeEvent(to: ProtoBuffer, event: TimedEvent): void {
  const start = to.begin(11);
  time(to, 1, event.time);
  to.string(2, event.name);
  attributes(to, 3, event.attributes ?? {});
  to.varint(4, event.droppedAttributesCount ?? 0);
  to.end(start);
}

function encodeLink(to: ProtoBuffer, link: Link & Dropped): void {
  const { traceId, spanId, traceState, traceFlags, isRemote } = link.context;
  const start = to.begin(13);
  to.hex(1, traceId);
  to.hex(2, spanId);
  to.string(3, traceState?.serialize() ?? "");
  attributes(to, 4, link.attributes ?? {});
  to.varint(5, link.droppedAttributesCount ?? 0);
  to.fixed32(6, flagsOf(traceFlags, isRemote));
  to.end(start);
}

interface Dropped {
  readonly droppedAttributesCount?: number | undefined;
}

/** W3C flags, and whether the other end is in another process (SpanFlags of OTLP 1.1). */
function flagsOf(traceFlags: number, isRemote: boolean | undefined): number {
  return (traceFlags & 0xff) | 0x100 | (isRemote ? 0x200 : 0);
}

/** Nanoseconds since the epoch pass 2^53, so they are split without a BigInt: one a span cost 1 us and garbage. */
function time(to: ProtoBuffer, field: number, [seconds, nanos]: HrTime): void {
  const upper = Math.floor(seconds / 65_536) * 1e9;
  const lower = (seconds % 65_536) * 1e9 + nanos;
  const low = (upper % 65_536) * 65_536 + lower;
  const high = Math.floor(upper / 65_536) + Math.floor(low / 2 ** 32);
  to.fixed64(field, high, low % 2 ** 32);
}
