import {
  type DescMessage,
  getOption,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { event_version as eventVersion } from "../../../gen/ts/weft/policy/v1/policy_pb.ts";
import { DomainError } from "../runtime/errors.ts";
import { newId } from "../runtime/ids.ts";
import type { IncomingRecord, OutgoingRecord } from "./event-bus.ts";

/** One fact that happened to one aggregate (CloudEvents 1.0). */
export interface CloudEvent {
  /** Unique for ever: what consumers recognise a second delivery by. */
  readonly id: string;
  /** The full name of the message, such as `weft.order.v1.OrderPlaced`. */
  readonly type: string;
  /** Who says it, as a URI reference: `/weft/order`. */
  readonly source: string;
  /** The aggregate's id: the partition key. */
  readonly subject: string;
  readonly time: Date;
  readonly tenant: string;
  /** The aggregate's version, where it has one: grows by one with each event. */
  readonly sequence: bigint | undefined;
  /** The message, in protobuf's binary form. */
  readonly data: Uint8Array;
  /**
   * The version of the contract that it was made with, 1 if left out. A newer one has fields that an older reader does not
   * know and keeps, an older one lacks some: neither is refused.
   */
  readonly schemaVersion?: number;
  /** The trace that it belongs to, 32 hex digits, where its record says so (W3C Trace Context). */
  readonly traceId?: string;
}

/** An event before anybody says it: the source is the relay's. */
export type NewEvent = Omit<CloudEvent, "source">;

export interface EventAttributes {
  readonly aggregateId: string;
  readonly tenant: string;
  readonly occurredAt: Date;
  readonly sequence?: bigint;
  /** A new uuidv7 when left out. */
  readonly id?: string;
}

const CONTENT_TYPE = "application/protobuf";

/** Wraps a message as an event of one aggregate. */
export function newEvent<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  attributes: EventAttributes,
): NewEvent {
  return {
    id: attributes.id ?? newId(attributes.occurredAt.getTime()),
    type: schema.typeName,
    subject: attributes.aggregateId,
    time: attributes.occurredAt,
    tenant: attributes.tenant,
    sequence: attributes.sequence,
    data: toBinary(schema, message),
    schemaVersion: getOption(schema, eventVersion) || 1,
  };
}

/** The topic of a type is its package: `weft.order.v1.OrderPlaced` -> `weft.order.v1`, so that one order's events share a partition. */
export function topicOf(type: string): string {
  const dot = type.lastIndexOf(".");
  if (dot <= 0) throw new Error(`"${type}" is not a full message name`);
  return type.slice(0, dot);
}

/** The event as a record (CloudEvents Kafka binding 1.0.2, binary mode). `traceHeaders` go along as they are. */
export function toRecord(
  event: CloudEvent,
  traceHeaders: Readonly<Record<string, string>>,
): OutgoingRecord {
  return {
    topic: topicOf(event.type),
    key: event.subject,
    value: event.data,
    headers: {
      "content-type": CONTENT_TYPE,
      ce_specversion: "1.0",
      ce_id: event.id,
      ce_type: event.type,
      ce_source: event.source,
      ce_subject: event.subject,
      ce_time: event.time.toISOString(),
      ce_tenant: event.tenant,
      ce_dataschemaversion: String(event.schemaVersion ?? 1),
      ...(event.sequence === undefined
        ? {}
        : { ce_sequence: event.sequence.toString() }),
      ...traceHeaders,
    },
  };
}

/**
 * Reads what {@link toRecord}, or any other CloudEvents producer, wrote.
 *
 * @throws DomainError `invalid_argument` (MALFORMED_EVENT) when a required attribute is missing or wrong.
 */
export function fromRecord(record: IncomingRecord): CloudEvent {
  const { headers } = record;
  const contentType = headers["content-type"];
  if (contentType !== CONTENT_TYPE) {
    throw malformed(`content-type is "${contentType}"`);
  }
  if (!headers["ce_specversion"]?.startsWith("1.")) {
    throw malformed(`ce_specversion is "${headers["ce_specversion"]}"`);
  }
  const time = headers["ce_time"];
  const sequence = headers["ce_sequence"];
  return {
    id: required(headers, "ce_id"),
    type: required(headers, "ce_type"),
    source: required(headers, "ce_source"),
    subject: headers["ce_subject"] ?? record.key ?? "",
    time: time === undefined ? new Date(0) : parseTime(time),
    tenant: headers["ce_tenant"] ?? "",
    sequence: sequence === undefined ? undefined : parseSequence(sequence),
    data: record.value,
    schemaVersion: versionOf(headers["ce_dataschemaversion"]),
    ...traceIdOf(headers["traceparent"]),
  };
}

/** What another producer writes there is no reason to refuse its event. */
function versionOf(text: string | undefined): number {
  return /^[1-9]\d{0,3}$/.test(text ?? "") ? Number(text) : 1;
}

function traceIdOf(traceparent: string | undefined): { traceId?: string } {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "");
  return match?.[1] === undefined ? {} : { traceId: match[1] };
}

function required(
  headers: Readonly<Record<string, string>>,
  name: string,
): string {
  const value = headers[name];
  // The inbox keeps the id: an endless one, or one with a NUL, must not become a database fault that is retried for ever.
  if (!value || value.length > 255 || value.includes("\0")) {
    throw malformed(`${name} is missing or no text of 255 characters at most`);
  }
  return value;
}

function parseTime(value: string): Date {
  const time = new Date(value);
  if (Number.isNaN(time.getTime())) throw malformed(`ce_time is "${value}"`);
  return time;
}

function parseSequence(value: string): bigint {
  if (!/^\d{1,18}$/.test(value)) throw malformed(`ce_sequence is "${value}"`);
  return BigInt(value);
}

function malformed(message: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "MALFORMED_EVENT",
    message,
  });
}
