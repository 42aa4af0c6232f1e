import type { ServiceImpl } from "@connectrpc/connect";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/watch-orders.ts";
import { orderIdOf } from "./order-id.ts";
import { orderToProto } from "./order-to-proto.ts";

export function watchOrders(
  deps: app.WatchOrdersDeps,
): ServiceImpl<typeof OrderService>["watchOrders"] {
  return async function* (request, context) {
    const watch = {
      tenant: callerOf(context).tenant,
      id: request.name ? orderIdOf(request.name) : undefined,
    };
    for await (const event of app.watchOrders(deps, watch, context.signal)) {
      yield event.kind === "order"
        ? { event: { case: "order", value: orderToProto(event.order) } }
        : { event: { case: "heartbeat", value: timestampNow() } };
    }
  };
}
