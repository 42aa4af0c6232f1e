/** A page that uses the edge from a browser, bundled and opened by browser.test.ts. */
import {
  ConnectError,
  createClient,
  type Interceptor,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-web";
import {
  BadRequestSchema,
  ErrorInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { orderState } from "../../support/state-names.ts";

const transports = {
  Connect: createConnectTransport,
  "gRPC-Web": createGrpcWebTransport,
} as const;

export type BrowserProtocol = keyof typeof transports;

export interface Visit {
  readonly protocol: BrowserProtocol;
  readonly edgeUrl: string;
  readonly token: string;
  readonly sku: string;
}

export interface Seen {
  readonly last: string;
  readonly reason: string | undefined;
  readonly fields: readonly string[];
}

/** Orders, watches the order to its end, and reads what an error says. */
async function visit({ protocol, edgeUrl, token, sku }: Visit): Promise<Seen> {
  const bearer: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = transports[protocol]({
    baseUrl: edgeUrl,
    interceptors: [bearer],
  });
  const orders = createClient(OrderService, transport);

  const orderOf = (quantity: number) => ({
    order: { lines: [{ sku, quantity }], paymentToken: "tok_visa" },
  });
  const { order } = await orders.createOrder(orderOf(1));
  let last: State = State.UNSPECIFIED;
  for await (const { event } of orders.watchOrders({
    name: order?.name ?? "",
  })) {
    if (event.case === "order") last = event.value.state;
  }
  const refusal = await orders.createOrder(orderOf(-1)).then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
  return {
    last: orderState(last),
    reason: refusal?.findDetails(ErrorInfoSchema)[0]?.reason,
    fields: (refusal?.findDetails(BadRequestSchema) ?? []).flatMap(
      ({ fieldViolations }) => fieldViolations.map(({ field }) => field),
    ),
  };
}

declare global {
  var weftVisit: typeof visit;
}

globalThis.weftVisit = visit;
