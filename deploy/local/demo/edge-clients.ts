import {
  createClient,
  type Client,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import type { Order } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import type { DemoOrder, Protocol } from "./demo-orders.ts";
import { placeOverRest } from "./rest-order.ts";

const CALL_TIMEOUT_MS = 15_000;

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface EdgeClients extends Disposable {
  readonly inventory: Client<typeof InventoryService>;
  readonly orders: Client<typeof OrderService>;
  readonly call: CallOptions;
  /** Places an order by its protocol and waits for its end; returns it as the answer shows it. */
  readonly place: (
    order: DemoOrder,
    requestId: string,
  ) => Promise<Order | undefined>;
}

/** What an outside user knows of the edge. */
export interface EdgeAccess {
  readonly url: string;
  /** Of the authority that signed the edge's certificate. */
  readonly ca: Buffer;
  /** None, where the edge asks for none. */
  readonly token: string | undefined;
}

/** The clients of an outside user: they know the edge's URL, its authority and a token, no more. */
export function createEdgeClients(
  edge: EdgeAccess,
  signal: AbortSignal,
): EdgeClients {
  const call = { signal, timeoutMs: CALL_TIMEOUT_MS };
  const interceptors = edge.token ? [bearer(edge.token)] : [];
  const connections = { ca: edge.ca };
  const grpcSessions = new Http2SessionManager(edge.url, {}, connections);
  const connectSessions = new Http2SessionManager(edge.url, {}, connections);
  const grpc = createGrpcTransport({
    baseUrl: edge.url,
    sessionManager: grpcSessions,
    interceptors,
  });
  const connect = createConnectTransport({
    baseUrl: edge.url,
    httpVersion: "2",
    sessionManager: connectSessions,
    interceptors,
  });

  const placeOverRpc =
    (transport: Transport) => async (order: DemoOrder, requestId: string) => {
      const { lines, paymentToken } = order;
      const response = await createClient(OrderService, transport).createOrder(
        { order: { lines: [...lines], paymentToken }, requestId, wait: true },
        call,
      );
      return response.order;
    };
  const placeBy: Record<Protocol, EdgeClients["place"]> = {
    REST: (order, requestId) => placeOverRest(edge, order, requestId, call),
    gRPC: placeOverRpc(grpc),
    Connect: placeOverRpc(connect),
  };
  return {
    inventory: createClient(InventoryService, connect),
    orders: createClient(OrderService, connect),
    call,
    place: (order, requestId) => placeBy[order.protocol](order, requestId),
    [Symbol.dispose]() {
      grpcSessions.abort();
      connectSessions.abort();
    },
  };
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
