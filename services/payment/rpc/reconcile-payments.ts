import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/reconcile-payments.ts";
import type { ReconcileDeps } from "../app/reconcile-span.ts";

export function reconcilePayments(
  deps: ReconcileDeps,
): ServiceImpl<typeof PaymentService>["reconcilePayments"] {
  return async ({ startTime, endTime }, context) => {
    const span = { start: dateOf(startTime), end: dateOf(endTime) };
    const { tenant } = callerOf(context);
    const { compared, found } = await app.reconcilePayments(
      deps,
      tenant,
      span,
      context.signal,
    );
    return { comparedCount: compared, findingCount: found };
  };
}

/** The contract requires both. */
function dateOf(time: Timestamp | undefined): Date {
  return time === undefined ? new Date(0) : timestampDate(time);
}
