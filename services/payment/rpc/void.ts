import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import type { SettleDeps } from "../app/settle-payment.ts";
import { voidPayment } from "../app/void-payment.ts";
import { paymentToProto } from "./payment-to-proto.ts";
import { resourceId } from "./resource-id.ts";

// `void` alone is not a name that a function may have.
export function voidRpc(
  deps: SettleDeps,
): ServiceImpl<typeof PaymentService>["void"] {
  return async (request, context) => {
    const payment = await voidPayment(
      deps,
      { tenant: callerOf(context).tenant, id: resourceId(request.name) },
      resourceId(request.order),
    );
    return { payment: paymentToProto(payment) };
  };
}
