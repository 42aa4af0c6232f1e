import { createHash } from "node:crypto";
import { REDRIVE_HEADER } from "./dead-letter.ts";
import type { Failure, RetryPolicy } from "./failure-policy.ts";
import type { IncomingRecord, OutgoingRecord } from "./event-bus.ts";

/** A record as it comes out of a retry topic: the original, and when and why it is there. */
export interface RetryRecord {
  /** As it came from its own topic. */
  readonly record: IncomingRecord;
  readonly attempts: number;
  readonly dueAt: Date;
  /** Whether an operator sent it back from the dead letters. */
  readonly isRedrive: boolean;
}

/**
 * The retry topic of a round, from 1. A group has its own, so that an event is
 * tried again by just the group that failed; all events of one topic wait
 * equally long, so the first one is always the first one due.
 */
export function retryTopic(group: string, round: number): string {
  return `${group}.retry.${round}`;
}

/**
 * What keeps its order: the events of one key. An event without a key has no
 * order. A key that no index takes is hashed.
 */
export function orderingKey(record: IncomingRecord): string {
  if (!record.key) return positionOf(record);
  return record.key.length <= 500 && !record.key.includes("\0")
    ? record.key
    : createHash("sha256").update(record.key).digest("hex");
}

/** The record on its way through the retry topic of a round. */
export function toRetryRecord(
  record: IncomingRecord,
  group: string,
  failure: Failure,
  due: { readonly at: Date; readonly error: string },
): OutgoingRecord {
  return {
    topic: retryTopic(group, failure.round),
    key: record.key || positionOf(record),
    value: record.value,
    headers: {
      ...record.headers,
      ...originHeaders(record),
      retry_attempts: String(failure.attempts),
      retry_first_failure_time: failure.firstFailureAt.toISOString(),
      retry_last_failure_time: failure.lastFailureAt.toISOString(),
      retry_due_time: due.at.toISOString(),
      retry_error: due.error,
    },
  };
}

/** A dead letter on its way back to just the group that failed, for its first retry topic, due at once. */
export function toRedriveRecord(
  record: IncomingRecord,
  group: string,
  redrive: { readonly id: string; readonly at: Date },
): OutgoingRecord {
  return {
    topic: retryTopic(group, 1),
    key: record.key || positionOf(record),
    value: record.value,
    headers: {
      ...record.headers,
      ...originHeaders(record),
      retry_attempts: "0",
      retry_due_time: redrive.at.toISOString(),
      retry_redrive: redrive.id,
      [REDRIVE_HEADER]: redrive.id,
    },
  };
}

/** Reads what the two above wrote; undefined for a record of another make. */
export function fromRetryRecord(
  record: IncomingRecord,
): RetryRecord | undefined {
  const { headers } = record;
  const topic = headers["retry_topic"];
  const dueAt = new Date(headers["retry_due_time"] ?? "");
  if (topic === undefined || Number.isNaN(dueAt.getTime())) return undefined;
  return {
    record: {
      topic,
      partition: wholeNumber(headers["retry_partition"]),
      offset: BigInt(wholeNumber(headers["retry_offset"])),
      key: record.key,
      value: record.value,
      headers: Object.fromEntries(
        Object.entries(headers).filter(([name]) => !name.startsWith("retry_")),
      ),
    },
    attempts: wholeNumber(headers["retry_attempts"]),
    dueAt,
    isRedrive: headers["retry_redrive"] !== undefined,
  };
}

/**
 * How long the record has still to wait, in milliseconds; none where it is not above 0. One that has to wait twice as long
 * as any delay was sent before a clock jumped back, and when it is due nobody knows: it is tried at once. Otherwise it would
 * hold its partition for as long as the clock jumped.
 */
export function waitOf(
  { dueAt }: Pick<RetryRecord, "dueAt">,
  now: Date,
  { delaysMs }: Pick<RetryPolicy, "delaysMs">,
): number {
  const leftMs = dueAt.getTime() - now.getTime();
  return leftMs > 2 * Math.max(0, ...delaysMs) ? 0 : leftMs;
}

function originHeaders(record: IncomingRecord): Record<string, string> {
  return {
    retry_topic: record.topic,
    retry_partition: String(record.partition),
    retry_offset: String(record.offset),
  };
}

function positionOf({ topic, partition, offset }: IncomingRecord): string {
  return `${topic}/${partition}/${offset}`;
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
