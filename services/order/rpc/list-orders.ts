import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import * as app from "../app/list-orders.ts";
import { orderToProto, stateOfProto } from "./order-to-proto.ts";

export function listOrders(
  deps: app.ListOrdersDeps,
): ServiceImpl<typeof OrderService>["listOrders"] {
  return async (request, context) => {
    const page = await app.listOrders(
      deps,
      {
        tenant: callerOf(context).tenant,
        states: request.states
          .map(stateOfProto)
          .filter((state) => state !== undefined),
        customer: request.customer,
      },
      { size: pageSize(request.pageSize), token: request.pageToken },
    );
    return {
      orders: page.orders.map((order) => orderToProto(order)),
      nextPageToken: page.nextPageToken,
      resumeToken: page.resumeToken,
    };
  };
}
