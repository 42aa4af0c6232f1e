import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { CancelOrderDeps } from "../app/cancel-order.ts";
import type { ListOrdersDeps } from "../app/list-orders.ts";
import type { WatchOrdersDeps } from "../app/watch-orders.ts";
import { cancelOrder } from "./cancel-order.ts";
import { createOrder, type CreateOrderDeps } from "./create-order.ts";
import { getOrder } from "./get-order.ts";
import { listOrders } from "./list-orders.ts";
import { watchOrders } from "./watch-orders.ts";

/** All that the RPCs need together. */
export type OrderDeps = CreateOrderDeps &
  ListOrdersDeps &
  CancelOrderDeps &
  WatchOrdersDeps;

/** The methods that keep the name of a request in the transaction of its effect. */
export const joinedMethods = [
  OrderService.method.createOrder,
  OrderService.method.cancelOrder,
] as const;

/** The Order service, ready to be served. */
export function orderService(
  deps: OrderDeps,
): MountedService<typeof OrderService> {
  return service(OrderService, {
    createOrder: createOrder(deps),
    getOrder: getOrder(deps),
    listOrders: listOrders(deps),
    cancelOrder: cancelOrder(deps),
    watchOrders: watchOrders(deps),
  });
}
