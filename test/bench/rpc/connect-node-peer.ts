import { createClient } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createGrpcTransport,
} from "@connectrpc/connect-node";
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import type { Peer } from "./peer.ts";
import { CLAIMS, ORDER_NAME, sampleOrder } from "./sample-order.ts";

/** connect-node's own gRPC server and client, with nothing around them. */
export const connectNodePeer: Peer = {
  async serve(tls, port) {
    const handler = connectNodeAdapter({
      routes: (router) =>
        router.service(OrderService, {
          getOrder: (request) => ({ order: sampleOrder(request.name) }),
        }),
    });
    const server = createSecureServer(
      { ...tls, requestCert: true, rejectUnauthorized: true },
      handler,
    );
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    // A server that listens on a TCP port has an AddressInfo.
    return (server.address() as AddressInfo).port;
  },
  connect(address, tls) {
    const transport = createGrpcTransport({
      baseUrl: `https://${address.replace("127.0.0.1", "localhost")}`,
      nodeOptions: { ...tls },
    });
    const orders = createClient(OrderService, transport);
    const options = { headers: { "x-weft-claims": CLAIMS } };
    return async () => {
      const { order } = await orders.getOrder({ name: ORDER_NAME }, options);
      if (order?.lines.length !== 2) throw new Error("not the whole order");
    };
  },
};
