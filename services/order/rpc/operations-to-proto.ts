import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  AuditRecord_Action,
  AuditRecordSchema,
  ForceResolveOrderRequest_Outcome as Outcome,
  InDoubtTransaction_Decision as Decision,
  type InDoubtTransactionSchema,
  type StuckOrderSchema,
} from "../../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import type { InDoubtTransaction } from "../app/list-in-doubt.ts";
import type { StuckOrder } from "../app/list-unsettled-orders.ts";
import type { AuditRecord } from "../domain/operations.ts";
import { orderName, type OrderState } from "../domain/order.ts";
import {
  attentionToProto,
  orderToProto,
  stateToProto,
} from "./order-to-proto.ts";

export function stuckToProto({
  order,
  step,
  dueAt,
  lastFailure,
}: StuckOrder): MessageInitShape<typeof StuckOrderSchema> {
  return {
    order: orderToProto(order),
    tenant: order.tenant,
    step,
    attempts: order.attempts,
    lastFailure,
    ...(dueAt && { nextAttemptTime: timestampFromDate(dueAt) }),
  };
}

const decisions = {
  undecided: Decision.UNDECIDED,
  commit: Decision.COMMIT,
  rollback: Decision.ROLLBACK,
} as const;

export function inDoubtToProto(
  transaction: InDoubtTransaction,
): MessageInitShape<typeof InDoubtTransactionSchema> {
  return {
    transaction: orderName(transaction.orderId),
    decision: decisions[transaction.decision],
    branches: transaction.branches.map((branch) => ({
      participant: branch.participant,
      epoch: branch.epoch,
      prepareTime: timestampFromDate(branch.preparedAt),
    })),
    oldestPrepareTime: timestampFromDate(transaction.oldestAt),
  };
}

export function auditToProto(record: AuditRecord) {
  const { attention } = record;
  return create(AuditRecordSchema, {
    name: `auditRecords/${record.id}`,
    order: orderName(record.orderId),
    tenant: record.tenant,
    action:
      record.action === "retry"
        ? AuditRecord_Action.RETRY
        : AuditRecord_Action.FORCE_RESOLVE,
    actor: record.actor,
    actorTenant: record.actorTenant,
    reason: record.reason,
    settledByHand: record.settledByHand,
    stateBefore: stateToProto(record.stateBefore),
    stateAfter: stateToProto(record.stateAfter),
    ...(attention && { attention: attentionToProto(attention) }),
    requestId: record.requestId ?? "",
    createTime: timestampFromDate(record.at),
  });
}

/** The contract's rule lets no other outcome in. */
export function endOfProto(outcome: Outcome): OrderState {
  switch (outcome) {
    case Outcome.COMPLETED:
      return "completed";
    case Outcome.CANCELLED:
      return "cancelled";
    default:
      return "rejected";
  }
}
