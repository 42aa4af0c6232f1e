import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { authorizePayment } from "../app/authorize-payment.ts";
import type { SettleDeps } from "../app/settle-payment.ts";
import { amountFromProto } from "./amount-from-proto.ts";
import { paymentToProto } from "./payment-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function authorize(
  deps: SettleDeps,
): ServiceImpl<typeof PaymentService>["authorize"] {
  return async (request, context) => {
    const payment = await authorizePayment(deps, {
      tenant: callerOf(context).tenant,
      paymentId: request.paymentId.toLowerCase(),
      orderId: resourceId(request.order),
      amount: amountFromProto(request.amount),
      token: request.paymentToken,
    });
    return { payment: paymentToProto(payment) };
  };
}
