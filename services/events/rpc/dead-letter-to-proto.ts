import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  DeadLetter_State,
  DeadLetterAuditRecord_Action,
  DeadLetterAuditRecordSchema,
  type DeadLetterSchema,
} from "../../../gen/ts/weft/events/v1/dead_letter_pb.ts";
import type { PayloadContracts } from "../app/payload-contracts.ts";
import {
  type AuditRecord,
  type DeadLetter,
  deadLetterName,
  type DeadLetterState,
  etagOf,
  type WholeDeadLetter,
} from "../domain/dead-letter.ts";

const states = {
  pending: DeadLetter_State.PENDING,
  redriving: DeadLetter_State.REDRIVING,
  redriven: DeadLetter_State.REDRIVEN,
  discarded: DeadLetter_State.DISCARDED,
} as const;

const actions = {
  redrive: DeadLetterAuditRecord_Action.REDRIVE,
  redrive_edited: DeadLetterAuditRecord_Action.REDRIVE_EDITED,
  discard: DeadLetterAuditRecord_Action.DISCARD,
} as const;

export function deadLetterToProto(
  letter: DeadLetter,
): MessageInitShape<typeof DeadLetterSchema> {
  return {
    name: deadLetterName(letter.id),
    etag: etagOf(letter),
    state: states[letter.state],
    group: letter.group,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    key: letter.key,
    eventId: letter.eventId,
    eventType: letter.eventType,
    tenant: letter.tenant,
    attempts: letter.attempts,
    firstFailureTime: timestampFromDate(letter.firstFailureAt),
    lastFailureTime: timestampFromDate(letter.lastFailureAt),
    errorReason: letter.errorReason,
    error: letter.error,
    redriveCount: letter.redriveCount,
    createTime: timestampFromDate(letter.createdAt),
    updateTime: timestampFromDate(letter.updatedAt),
  };
}

export function wholeToProto(
  contracts: PayloadContracts,
  letter: WholeDeadLetter,
): MessageInitShape<typeof DeadLetterSchema> {
  const { payload, originalPayload, headers } = letter.content;
  const { eventType } = letter;
  return {
    ...deadLetterToProto(letter),
    payload,
    payloadJson: contracts.toJson(eventType, payload) ?? "",
    ...(originalPayload && { originalPayload }),
    headers: { ...headers },
  };
}

export function auditToProto(record: AuditRecord) {
  return create(DeadLetterAuditRecordSchema, {
    name: `deadLetterAuditRecords/${record.id}`,
    deadLetter: deadLetterName(record.deadLetter),
    action: actions[record.action],
    actor: record.actor,
    actorTenant: record.actorTenant,
    reason: record.reason,
    requestId: record.requestId ?? "",
    payloadSha256Before: hex(record.payloadBefore),
    payloadSha256After: record.payloadAfter ? hex(record.payloadAfter) : "",
    createTime: timestampFromDate(record.at),
  });
}

/** Undefined for a state that a newer contract names. */
export function stateOfProto(
  state: DeadLetter_State,
): DeadLetterState | undefined {
  switch (state) {
    case DeadLetter_State.PENDING:
      return "pending";
    case DeadLetter_State.REDRIVING:
      return "redriving";
    case DeadLetter_State.REDRIVEN:
      return "redriven";
    case DeadLetter_State.DISCARDED:
      return "discarded";
    case DeadLetter_State.UNSPECIFIED:
      return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
