import {
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { OutgoingRecord } from "./event-bus.ts";
import { type CloudEvent, toRecord, topicOf } from "./cloud-event.ts";
import type { QueuedEvent } from "./outbox-queue.ts";

/** A record, and the span that lasts from its first try to its acknowledgement. */
export interface TracedRecord {
  readonly record: OutgoingRecord;
  readonly span: Span;
}

/**
 * Makes the record of an event. Its producer span is a child of the span that
 * added the event to the outbox, so the consumer's span continues that trace.
 */
export function toTracedRecord(
  queued: QueuedEvent,
  source: string,
): TracedRecord {
  const event = toCloudEvent(queued, source);
  const stored = storedTrace(queued);
  const parent = propagation.extract(ROOT_CONTEXT, stored);
  const topic = topicOf(event.type);
  const span = trace.getTracer("weft.events").startSpan(
    `send ${topic}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.message.id": event.id,
        "messaging.kafka.message.key": event.subject,
        "cloudevents.event_type": event.type,
      },
    },
    parent,
  );
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(parent, span), headers);
  // Without a tracing SDK nothing is injected: the trace still passes through.
  return { record: toRecord(event, { ...stored, ...headers }), span };
}

export function endSpans(
  records: readonly TracedRecord[],
  error?: unknown,
): void {
  for (const { span } of records) {
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    if (error instanceof Error) span.recordException(error);
    span.end();
  }
}

function toCloudEvent(queued: QueuedEvent, source: string): CloudEvent {
  return {
    id: queued.id,
    type: queued.type,
    source,
    subject: queued.aggregateId,
    time: queued.occurredAt,
    tenant: queued.tenant,
    sequence: queued.sequence ?? undefined,
    data: queued.payload,
    schemaVersion: queued.schemaVersion,
  };
}

function storedTrace(queued: QueuedEvent): Record<string, string> {
  return {
    ...(queued.traceparent === null ? {} : { traceparent: queued.traceparent }),
    ...(queued.tracestate === null ? {} : { tracestate: queued.tracestate }),
  };
}
