import { createClient } from "@connectrpc/connect";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { serve, service } from "../../../services/platform/rpc/server.ts";
import { createLogger } from "../../../services/platform/runtime/logger.ts";
import type { Peer } from "./peer.ts";
import { CLAIMS, ORDER_NAME, sampleOrder } from "./sample-order.ts";

const logger = createLogger("bench", "warn");

/** The platform as services use it, with all of its middleware. */
export const platformPeer: Peer = {
  async serve(tls, port) {
    const running = await serve({
      host: "127.0.0.1",
      grpcPort: port,
      connectPort: 0,
      tls,
      logger,
      services: [
        service(OrderService, {
          createOrder: notMeasured,
          getOrder: (request) => ({ order: sampleOrder(request.name) }),
          listOrders: notMeasured,
          cancelOrder: notMeasured,
          watchOrders: notMeasured,
        }),
      ],
    });
    return running.grpcPort;
  },
  connect(address, tls) {
    const transport = createMeshTransport({
      address,
      callee: "order",
      tls,
      logger,
    });
    const orders = createClient(OrderService, transport);
    const options = { headers: { "x-weft-claims": CLAIMS } };
    return async () => {
      const { order } = await orders.getOrder({ name: ORDER_NAME }, options);
      if (order?.lines.length !== 2) throw new Error("not the whole order");
    };
  },
};

function notMeasured(): never {
  throw new Error("not measured");
}
