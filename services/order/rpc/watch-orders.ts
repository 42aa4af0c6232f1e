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
    const { tenant } = callerOf(context);
    const { signal } = context;
    const events = request.name
      ? app.watchOrder(deps, tenant, orderIdOf(request.name), signal)
      : app.watchOrders(deps, tenant, request.resumeToken, signal);
    for await (const event of events) {
      const { resumeToken } = event;
      yield event.kind === "order"
        ? {
            event: { case: "order", value: orderToProto(event.order) },
            resumeToken,
          }
        : { event: { case: "heartbeat", value: timestampNow() }, resumeToken };
    }
  };
}
