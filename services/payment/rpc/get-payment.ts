import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/get-payment.ts";
import { paymentToProto } from "./payment-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function getPayment(deps: {
  readonly db: Executor;
}): ServiceImpl<typeof PaymentService>["getPayment"] {
  return async (request, context) => {
    const payment = await app.getPayment(deps, {
      tenant: callerOf(context).tenant,
      id: resourceId(request.name),
    });
    return { payment: paymentToProto(payment) };
  };
}
