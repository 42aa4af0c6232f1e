import { DomainError } from "../../platform/runtime/errors.ts";

/** What became of a dead letter; the contract's `DeadLetter.State`. */
export type DeadLetterState =
  "pending" | "redriving" | "redriven" | "discarded";

/** An event that one consumer group gave up on. */
export interface DeadLetter {
  readonly id: string;
  readonly group: string;
  /** Where it came from. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly tenant: string;
  readonly state: DeadLetterState;
  /** Grows by one with each change. */
  readonly version: bigint;
  readonly attempts: number;
  readonly firstFailureAt: Date;
  readonly lastFailureAt: Date;
  readonly error: string;
  readonly errorReason: string;
  readonly redriveCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What it holds. */
export interface DeadLetterContent {
  readonly recordKey: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
  /** Where the payload was edited: as it first failed. */
  readonly originalPayload: Uint8Array | undefined;
}

export interface WholeDeadLetter extends DeadLetter {
  readonly content: DeadLetterContent;
}

/** Which dead letters are meant; an empty field means all. */
export interface DeadLetterFilter {
  readonly group: string;
  readonly topic: string;
  readonly eventType: string;
  readonly key: string;
  readonly errorReason: string;
  readonly failedAfter: Date | undefined;
  readonly failedBefore: Date | undefined;
  readonly states: readonly DeadLetterState[];
}

export type AuditAction = "redrive" | "redrive_edited" | "discard";

/** Who decided what about a dead letter, and why. */
export interface AuditRecord {
  readonly id: string;
  readonly deadLetter: string;
  readonly action: AuditAction;
  readonly actor: string;
  readonly actorTenant: string;
  readonly reason: string;
  readonly requestId: string | undefined;
  /** SHA-256 of the payloads. */
  readonly payloadBefore: Uint8Array;
  readonly payloadAfter: Uint8Array | undefined;
  readonly at: Date;
}

/** The resource name, as contracts spell it. */
export function deadLetterName(id: string): string {
  return `deadLetters/${id}`;
}

/** Its version, quoted as HTTP has an etag (RFC 9110, AIP-154). */
export function etagOf(letter: Pick<DeadLetter, "version">): string {
  return `"${letter.version}"`;
}

/**
 * Refuses a decision about a dead letter that is not, or no longer, waiting for one.
 *
 * @throws DomainError ETAG_MISMATCH, DEAD_LETTER_NOT_PENDING.
 */
export function requirePending(letter: DeadLetter, etag: string): void {
  const metadata = { dead_letter: deadLetterName(letter.id) };
  if (etag !== "" && etag !== etagOf(letter)) {
    throw new DomainError({
      code: "aborted",
      reason: "ETAG_MISMATCH",
      message: `${metadata.dead_letter} has changed since the etag was read`,
      metadata,
    });
  }
  if (letter.state !== "pending") {
    throw new DomainError({
      code: "failed_precondition",
      reason: "DEAD_LETTER_NOT_PENDING",
      message: `${metadata.dead_letter} is ${letter.state.toUpperCase()} and needs no decision`,
      metadata: { ...metadata, state: letter.state.toUpperCase() },
    });
  }
}

/**
 * A payload that Kafka refuses would keep all that is decided after it from being sent.
 *
 * @throws DomainError MALFORMED_EVENT.
 */
export function requireSendable(
  type: string,
  payload: Uint8Array,
  maxBytes: number,
): void {
  const bytes = payload.byteLength;
  if (bytes <= maxBytes) return;
  const limit = `it has ${bytes} bytes, more than ${maxBytes}`;
  throw malformedPayload(type, new RangeError(limit));
}

export function deadLetterNotFound(id: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "DEAD_LETTER_NOT_FOUND",
    message: `${deadLetterName(id)} does not exist`,
    metadata: { dead_letter: deadLetterName(id) },
  });
}

export function requestIdReused(requestId: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "REQUEST_ID_REUSED",
    message: `request_id: ${requestId} was used with another request`,
    metadata: { request_id: requestId },
    field: "request_id",
  });
}

export function unknownEventType(type: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "UNKNOWN_EVENT_TYPE",
    message: `no contract names the event type "${type}", so a payload of it can't be checked`,
    metadata: { event_type: type },
  });
}

export function malformedPayload(type: string, cause: unknown): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "MALFORMED_EVENT",
    message: `the edited payload is no ${type}: ${cause instanceof Error ? cause.message : ""}`,
    cause,
  });
}
