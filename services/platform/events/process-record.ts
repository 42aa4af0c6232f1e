import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Database } from "../data/database.ts";
import type { Logger } from "../runtime/logger.ts";
import { type CloudEvent, fromRecord } from "./cloud-event.ts";
import type { IncomingRecord } from "./event-bus.ts";
import type { EventHandler } from "./event-handler.ts";
import { recordOnce } from "./inbox.ts";

export interface ProcessRecordDeps {
  readonly db: Database;
  readonly logger: Logger;
  readonly group: string;
  readonly byType: ReadonlyMap<string, EventHandler>;
}

export type Outcome = "handled" | "duplicate" | "skipped";

/**
 * Gives one event its effect, once: the handler's work and the inbox row are
 * one transaction. Runs in a consumer span that continues the trace of the
 * producer's.
 *
 * @throws DomainError `invalid_argument` for a record that is no event, or what the handler threw.
 */
export async function processRecord(
  deps: ProcessRecordDeps,
  record: IncomingRecord,
): Promise<Outcome> {
  const event = fromRecord(record);
  const handler = deps.byType.get(event.type);
  if (handler === undefined) {
    deps.logger.debug(
      { group: deps.group, type: event.type, eventId: event.id },
      "event of another type skipped",
    );
    return "skipped";
  }
  return inConsumerSpan(deps.group, record, event, () =>
    deps.db.transaction(async (tx) => {
      if (!(await recordOnce(tx, deps.group, event.id))) return "duplicate";
      await handler.handle(tx, event);
      return "handled";
    }),
  );
}

function inConsumerSpan(
  group: string,
  record: IncomingRecord,
  event: CloudEvent,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
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
  return context.with(trace.setSpan(parent, span), async () => {
    try {
      const outcome = await work();
      span.setAttribute("weft.event.outcome", outcome);
      return outcome;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      if (error instanceof Error) span.recordException(error);
      throw error;
    } finally {
      span.end();
    }
  });
}
