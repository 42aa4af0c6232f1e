import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/get-balances.ts";
import { balanceToProto } from "./ledger-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function getBalances(deps: {
  readonly db: Executor;
}): ServiceImpl<typeof PaymentService>["getBalances"] {
  return async ({ payment }, context) => {
    const { tenant } = callerOf(context);
    const id = payment === "" ? undefined : resourceId(payment);
    const balances = await app.getBalances(deps, tenant, id);
    return { balances: balances.map(balanceToProto) };
  };
}
