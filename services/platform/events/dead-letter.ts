import { DomainError } from "../runtime/errors.ts";
import type { Failure } from "./failure-policy.ts";
import type { IncomingRecord, OutgoingRecord } from "./event-bus.ts";

/** Why a record went to the dead-letter topic, and after what. */
export interface DeadLetterCause extends Omit<Failure, "round"> {
  readonly group: string;
  readonly error: unknown;
}

/** Names the redrive of a record, so that its next dead letter is known as the same. */
export const REDRIVE_HEADER = "weft_redrive";

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

/** What a dead-letter topic tells of a record. */
export interface BuriedRecord {
  /** As it came from its own topic. */
  readonly record: IncomingRecord;
  readonly group: string;
  readonly attempts: number;
  readonly firstFailureAt: Date;
  readonly lastFailureAt: Date;
  readonly error: string;
  readonly errorReason: string;
  /** The redrive after which it failed again, if it was redriven. */
  readonly redrive: string | undefined;
}

/** Reads what {@link toDeadLetter} wrote; undefined for a record of another make. */
export function fromDeadLetter(
  letter: IncomingRecord,
): BuriedRecord | undefined {
  const { headers } = letter;
  const topic = headers["dlt_original_topic"];
  const partition = headers["dlt_original_partition"];
  const offset = headers["dlt_original_offset"];
  const group = headers["dlt_group"];
  const attempts = headers["dlt_attempts"];
  if (!topic || !group || !isInt32(partition) || !isNumber(offset)) {
    return undefined;
  }
  return {
    record: {
      topic,
      partition: Number(partition),
      offset: BigInt(offset),
      key: headers["dlt_original_key"] || undefined,
      value: letter.value,
      headers: Object.fromEntries(
        Object.entries(headers).filter(
          ([name]) => !name.startsWith("dlt_") && name !== REDRIVE_HEADER,
        ),
      ),
    },
    group,
    attempts: isInt32(attempts) ? Number(attempts) : 0,
    firstFailureAt: timeOf(headers["dlt_first_failure_time"]),
    lastFailureAt: timeOf(headers["dlt_last_failure_time"]),
    error: headers["dlt_error"] ?? "",
    errorReason: headers["dlt_error_reason"] ?? "",
    redrive: headers[REDRIVE_HEADER],
  };
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,18}$/.test(text);
}

function isInt32(text: string | undefined): text is string {
  return isNumber(text) && Number(text) < 2 ** 31;
}

function timeOf(text: string | undefined): Date {
  const time = new Date(text ?? "");
  return Number.isNaN(time.getTime()) ? new Date(0) : time;
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
