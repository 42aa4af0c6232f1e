import { type Context, context, propagation } from "@opentelemetry/api";
import { crc32 } from "node:zlib";
import { hexBytes } from "../data/record-set.ts";
import { DomainError } from "../runtime/errors.ts";
import type { NewEvent } from "./cloud-event.ts";
import { MAX_BATCH_BYTES } from "./split-records.ts";

/** Slots that the keys of all aggregates are spread over; a relay owns a range of them. Changing it reorders events under way. */
export const SLOTS = 64;

/** An event as a row of the outbox, in the form that `recordSet` takes. */
export interface OutboxRow {
  readonly id: string;
  readonly slot: number;
  readonly type: string;
  readonly aggregate_id: string;
  readonly tenant: string;
  readonly sequence: bigint | undefined;
  readonly occurred_at: Date;
  readonly payload: string;
  readonly schema_version: number;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** The columns of an {@link OutboxRow}, as an insert names them. */
export const outboxColumns = `id, slot, type, aggregate_id, tenant, sequence, occurred_at, payload,
       schema_version, traceparent, tracestate`;

/** The columns of an {@link OutboxRow}, as `json_to_recordset` needs them. */
export const outboxRecord = `id uuid, slot smallint, type text, aggregate_id text, tenant text, sequence bigint,
         occurred_at timestamptz, payload bytea, schema_version smallint, traceparent text, tracestate text`;

/**
 * The row of an event, which continues the trace of `cause`.
 *
 * @throws DomainError `invalid_argument`: NO_PARTITION_KEY, EVENT_TOO_LARGE.
 */
export function outboxRow(
  event: NewEvent,
  cause: Context = context.active(),
): OutboxRow {
  refuseUnpublishable(event);
  const trace: Record<string, string> = {};
  propagation.inject(cause, trace);
  return {
    id: event.id,
    slot: crc32(event.subject) % SLOTS,
    type: event.type,
    aggregate_id: event.subject,
    tenant: event.tenant,
    sequence: event.sequence,
    occurred_at: event.time,
    payload: hexBytes(event.data),
    schema_version: event.schemaVersion ?? 1,
    traceparent: trace["traceparent"],
    tracestate: trace["tracestate"],
  };
}

function refuseUnpublishable(event: NewEvent): void {
  if (event.subject === "") {
    throw new DomainError({
      code: "invalid_argument",
      reason: "NO_PARTITION_KEY",
      message: `No partition key found for an event ${event.type}`,
    });
  }
  // Kafka would refuse it; refused here, it cannot stop the relay later.
  if (event.data.byteLength > MAX_BATCH_BYTES) {
    throw new DomainError({
      code: "invalid_argument",
      reason: "EVENT_TOO_LARGE",
      message: `an event ${event.type} has ${event.data.byteLength} bytes, more than ${MAX_BATCH_BYTES}`,
    });
  }
}
