import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import {
  ReconciliationFinding_Kind as Kind,
  type ReconciliationFindingSchema,
} from "../../../gen/ts/weft/payment/v1/reconciliation_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import { listFindings } from "../app/list-findings.ts";
import type { Finding } from "../domain/finding.ts";
import type { ListPaymentsDeps } from "./list-payments.ts";

export function listReconciliationFindings(
  deps: ListPaymentsDeps,
): ServiceImpl<typeof PaymentService>["listReconciliationFindings"] {
  return async (request, context) => {
    const { tenant } = callerOf(context);
    const { showResolved } = request;
    const query = ["ListReconciliationFindings", tenant, showResolved];
    const [createdAt, id] =
      request.pageToken === ""
        ? []
        : deps.pageTokens.decode(query, request.pageToken);
    const { findings, next } = await listFindings(deps, {
      tenant,
      showResolved,
      after:
        createdAt === undefined || id === undefined
          ? undefined
          : { createdAt: new Date(createdAt), id },
      pageSize: pageSize(request.pageSize),
    });
    return {
      findings: findings.map(findingToProto),
      nextPageToken:
        next === undefined
          ? ""
          : deps.pageTokens.encode(query, [
              next.createdAt.toISOString(),
              next.id,
            ]),
    };
  };
}

function findingToProto(
  finding: Finding,
): MessageInitShape<typeof ReconciliationFindingSchema> {
  const { paymentId, resolvedAt } = finding;
  return {
    name: `reconciliationFindings/${finding.id}`,
    kind: Kind[finding.kind],
    payment: paymentId === undefined ? "" : `payments/${paymentId}`,
    providerReference: finding.reference,
    ours: finding.ours,
    theirs: finding.theirs,
    createTime: timestampFromDate(finding.createdAt),
    updateTime: timestampFromDate(finding.updatedAt),
    ...(resolvedAt && { resolveTime: timestampFromDate(resolvedAt) }),
  };
}
