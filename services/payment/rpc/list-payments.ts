import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize, type PageTokens } from "../../platform/rpc/page-token.ts";
import * as app from "../app/list-payments.ts";
import { paymentToProto } from "./payment-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export interface ListPaymentsDeps {
  readonly db: Executor;
  readonly pageTokens: PageTokens;
}

export function listPayments(
  deps: ListPaymentsDeps,
): ServiceImpl<typeof PaymentService>["listPayments"] {
  return async (request, context) => {
    const { tenant } = callerOf(context);
    const query = { method: "ListPayments", tenant, order: request.order };
    const [createdAt, id] =
      request.pageToken === ""
        ? []
        : deps.pageTokens.decode(query, request.pageToken);
    const page = await app.listPayments(deps, {
      tenant,
      orderId: request.order === "" ? undefined : resourceId(request.order),
      after:
        createdAt === undefined || id === undefined
          ? undefined
          : { createdAt: new Date(createdAt), id },
      pageSize: pageSize(request.pageSize),
    });
    return {
      payments: page.payments.map(paymentToProto),
      nextPageToken:
        page.next === undefined
          ? ""
          : deps.pageTokens.encode(query, [
              page.next.createdAt.toISOString(),
              page.next.id,
            ]),
    };
  };
}
