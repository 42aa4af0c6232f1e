import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { ReceiveProviderEventDeps } from "../app/receive-provider-event.ts";
import type { SettleDeps } from "../app/settle-payment.ts";
import { authorize } from "./authorize.ts";
import { capture } from "./capture.ts";
import { getBalances } from "./get-balances.ts";
import { getPayment } from "./get-payment.ts";
import { listLedgerEntries } from "./list-ledger-entries.ts";
import { listPayments, type ListPaymentsDeps } from "./list-payments.ts";
import { listReconciliationFindings } from "./list-reconciliation-findings.ts";
import { receiveProviderEvent } from "./receive-provider-event.ts";
import { reconcilePayments } from "./reconcile-payments.ts";
import { refund } from "./refund.ts";
import { voidRpc } from "./void.ts";

/** All that the RPCs need together. */
export interface PaymentDeps
  extends
    SettleDeps,
    Pick<ListPaymentsDeps, "pageTokens">,
    Omit<ReceiveProviderEventDeps, "db"> {}

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
    receiveProviderEvent: receiveProviderEvent(deps),
    listLedgerEntries: listLedgerEntries(deps),
    getBalances: getBalances(deps),
    listReconciliationFindings: listReconciliationFindings(deps),
    reconcilePayments: reconcilePayments(deps),
  });
}
