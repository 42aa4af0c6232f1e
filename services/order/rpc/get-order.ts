import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/get-order.ts";
import { orderIdOf } from "./order-id.ts";
import { orderToProto } from "./order-to-proto.ts";

export function getOrder(
  deps: app.GetOrderDeps,
): ServiceImpl<typeof OrderService>["getOrder"] {
  return async (request, context) => {
    const { order, timeline } = await app.getOrder(
      deps,
      callerOf(context).tenant,
      orderIdOf(request.name),
    );
    return { order: orderToProto(order, timeline) };
  };
}
