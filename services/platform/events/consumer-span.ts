import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { CloudEvent } from "./cloud-event.ts";
import type { IncomingRecord } from "./event-bus.ts";

/** A record whose headers were read. */
export interface ReadEvent {
  readonly record: IncomingRecord;
  readonly event: CloudEvent;
}

/** An event, and the trace that what comes of it belongs to. */
export type Caused<Event> = Event & { readonly cause: Context };

/**
 * Works on events in a consumer span each, which continues the trace of its
 * producer's. Many are worked on in the trace of the first, since one call has one.
 */
export function inConsumerSpans<Event extends ReadEvent, T extends string>(
  group: string,
  events: readonly Event[],
  work: (events: readonly Caused<Event>[]) => Promise<T>,
): Promise<T> {
  const started = events.map((event) => {
    const { span, cause } = startSpan(group, event);
    return { span, caused: { ...event, cause } };
  });
  const spans = started.map(({ span }) => span);
  const caused = started.map((each) => each.caused);
  return context.with(caused[0]?.cause ?? context.active(), async () => {
    try {
      const outcome = await work(caused);
      for (const span of spans) {
        span.setAttribute("weft.event.outcome", outcome);
      }
      return outcome;
    } catch (error) {
      for (const span of spans) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        if (error instanceof Error) span.recordException(error);
      }
      throw error;
    } finally {
      for (const span of spans) span.end();
    }
  });
}

function startSpan(
  group: string,
  { record, event }: ReadEvent,
): { span: Span; cause: Context } {
  const parent = propagation.extract(ROOT_CONTEXT, record.headers);
  const span = trace.getTracer("weft.events").startSpan(
    `process ${record.topic}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": String(record.partition),
        "messaging.kafka.offset": Number(record.offset),
        "messaging.consumer.group.name": group,
        "messaging.message.id": event.id,
        "cloudevents.event_type": event.type,
      },
    },
    parent,
  );
  return { span, cause: trace.setSpan(parent, span) };
}
