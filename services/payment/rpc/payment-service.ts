import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { SettleDeps } from "../app/settle-payment.ts";
import { authorize } from "./authorize.ts";
import { capture } from "./capture.ts";
import { getPayment } from "./get-payment.ts";
import { listPayments, type ListPaymentsDeps } from "./list-payments.ts";
import { refund } from "./refund.ts";
import { voidRpc } from "./void.ts";

/** All that the RPCs need together. */
export interface PaymentDeps
  extends SettleDeps, Pick<ListPaymentsDeps, "pageTokens"> {}

/** The Payment service, ready to be served. */
export function paymentService(
  deps: PaymentDeps,
): MountedService<typeof PaymentService> {
  return service(PaymentService, {
    authorize: authorize(deps),
    capture: capture(deps),
    void: voidRpc(deps),
    refund: refund(deps),
    getPayment: getPayment(deps),
    listPayments: listPayments(deps),
  });
}
