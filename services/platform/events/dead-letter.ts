import { DomainError } from "../runtime/errors.ts";
import type { IncomingRecord, OutgoingRecord } from "./event-bus.ts";

/** Why a record went to the dead-letter topic, and where it came from. */
export interface DeadLetterCause {
  readonly group: string;
  readonly error: unknown;
  readonly attempts: number;
  readonly firstFailureAt: Date;
}

export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlt`;
}

/** The record as it came, for `<topic>.<group>.dlt`, with its provenance in headers. */
export function toDeadLetter(
  record: IncomingRecord,
  cause: DeadLetterCause,
): OutgoingRecord {
  const { topic, partition, offset } = record;
  return {
    topic: deadLetterTopic(topic, cause.group),
    key: record.key || `${topic}/${partition}/${offset}`,
    value: record.value,
    headers: {
      ...record.headers,
      dlt_original_topic: topic,
      dlt_original_partition: String(partition),
      dlt_original_offset: String(offset),
      dlt_group: cause.group,
      dlt_attempts: String(cause.attempts),
      dlt_first_failure_time: cause.firstFailureAt.toISOString(),
      ...describe(cause.error),
    },
  };
}

function describe(error: unknown): Record<string, string> {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    // Kafka counts headers towards the size of the record.
    dlt_error: text.slice(0, 500),
    ...(error instanceof DomainError
      ? { dlt_error_code: error.code, dlt_error_reason: error.reason }
      : {}),
  };
}
