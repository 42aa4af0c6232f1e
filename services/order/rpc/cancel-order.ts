import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { namedRequestOf } from "../../platform/rpc/named-request.ts";
import * as app from "../app/cancel-order.ts";
import { orderIdOf } from "./order-id.ts";
import { orderToProto } from "./order-to-proto.ts";

export function cancelOrder(
  deps: app.CancelOrderDeps,
): ServiceImpl<typeof OrderService>["cancelOrder"] {
  return async (request, context) => {
    const named = namedRequestOf(context);
    const order = await app.cancelOrder(
      deps,
      {
        tenant: callerOf(context).tenant,
        id: orderIdOf(request.name),
        etag: request.etag,
      },
      named &&
        ((tx, cancelled) =>
          named.answer(tx, { order: orderToProto(cancelled) })),
    );
    return { order: orderToProto(order) };
  };
}
