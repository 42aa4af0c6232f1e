import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { refundPayment } from "../app/refund-payment.ts";
import type { SettleDeps } from "../app/settle-payment.ts";
import { amountFromProto } from "./amount-from-proto.ts";
import { paymentToProto } from "./payment-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function refund(
  deps: SettleDeps,
): ServiceImpl<typeof PaymentService>["refund"] {
  return async (request, context) => {
    const payment = await refundPayment(
      deps,
      { tenant: callerOf(context).tenant, id: resourceId(request.name) },
      {
        refundId: request.refundId.toLowerCase(),
        amount: request.amount && amountFromProto(request.amount),
      },
    );
    return { payment: paymentToProto(payment) };
  };
}
