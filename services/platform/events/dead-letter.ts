import { DomainError } from "../runtime/errors.ts";
import type { Failure } from "./failure-policy.ts";
import type { IncomingRecord, OutgoingRecord } from "./event-bus.ts";

/** Why a record went to the dead-letter topic, and after what. */
export interface DeadLetterCause extends Omit<Failure, "round"> {
  readonly group: string;
  readonly error: unknown;
}

export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlt`;
}

/** Whether a topic holds the dead letters of some group. */
export function isDeadLetterTopic(topic: string): boolean {
  return topic.endsWith(".dlt");
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
      dlt_original_key: record.key ?? "",
      dlt_group: cause.group,
      dlt_attempts: String(cause.attempts),
      dlt_first_failure_time: cause.firstFailureAt.toISOString(),
      dlt_last_failure_time: cause.lastFailureAt.toISOString(),
      ...describe(cause.error),
    },
  };
}

/** The reason of a failure, as labels and headers have it. */
export function reasonOf(error: unknown): string {
  return error instanceof DomainError ? error.reason : "HANDLER_FAILED";
}

/** A failure in a line that fits a header: Kafka counts headers towards the size of the record. */
export function errorText(error: unknown): string {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, 500);
}

function describe(error: unknown): Record<string, string> {
  return {
    dlt_error: errorText(error),
    dlt_error_reason: reasonOf(error),
    ...(error instanceof DomainError ? { dlt_error_code: error.code } : {}),
  };
}
