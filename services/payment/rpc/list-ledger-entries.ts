import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import * as app from "../app/list-ledger-entries.ts";
import { entryToProto } from "./ledger-to-proto.ts";
import type { ListPaymentsDeps } from "./list-payments.ts";
import { resourceId } from "./resource-id.ts";

export function listLedgerEntries(
  deps: ListPaymentsDeps,
): ServiceImpl<typeof PaymentService>["listLedgerEntries"] {
  return async (request, context) => {
    const { tenant } = callerOf(context);
    const query = ["ListLedgerEntries", tenant, request.payment];
    const [transactionId, id] =
      request.pageToken === ""
        ? []
        : deps.pageTokens.decode(query, request.pageToken);
    const { entries, next } = await app.listLedgerEntries(deps, {
      tenant,
      paymentId:
        request.payment === "" ? undefined : resourceId(request.payment),
      after:
        transactionId === undefined || id === undefined
          ? undefined
          : { transactionId, id },
      pageSize: pageSize(request.pageSize),
    });
    return {
      entries: entries.map(entryToProto),
      nextPageToken:
        next === undefined
          ? ""
          : deps.pageTokens.encode(query, [next.transactionId, next.id]),
    };
  };
}
