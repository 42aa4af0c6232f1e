import { describe, expect, it } from "vitest";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import { clientKinds, protocolKinds } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { eventually } from "../support/eventually.ts";
import { findTrace, newTraceparent } from "../support/jaeger.ts";
import { openShop, type Shop } from "../support/mesh-shop.ts";
import { orderState } from "../support/state-names.ts";

/** gRPC's number of CANCELLED, on the span of a handler that ended because its caller went away. */
const CANCELLED = 1;

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("gives up waiting for an order: the handler ends, the order goes on", async () => {
    using shop = await openShop(kind);
    const { traceId, traceparent } = newTraceparent();
    const cancel = new AbortController();
    const call = refusalOf(
      shop.client.orders.createOrder(
        { ...shop.order(1, "tok_late"), wait: true },
        { signal: cancel.signal, headers: { traceparent } },
      ),
    );
    await eventually(
      "the handler waits for an order that holds stock",
      async () => (await shop.stock()).reserved === 1n,
    );

    cancel.abort();

    expect(await call).toMatchObject({ code: "Canceled" });
    await expectHandlerEnd(shop, traceId, "CreateOrder", CANCELLED);
    await eventually(
      "the order is completed",
      async () => (await shop.stock()).sold === 1n,
      30_000,
    );
  });

  it("stops watching: the handler of its stream ends", async () => {
    using shop = await openShop(kind);
    const { traceId, traceparent } = newTraceparent();
    const cancel = new AbortController();

    const watch = async () => {
      const headers = { traceparent };
      const options = { signal: cancel.signal, headers };
      for await (const _ of shop.client.orders.watchOrders({}, options)) {
        cancel.abort();
      }
    };

    expect(await refusalOf(watch())).toMatchObject({ code: "Canceled" });
    await expectHandlerEnd(shop, traceId, "WatchOrders", CANCELLED);
  });
});

// One at a time: the answer is due a quarter of a second before the deadline.
describe.each(protocolKinds)("a client of %s", (kind) => {
  it("is told how far an order got when its deadline nears", async () => {
    using shop = await openShop(kind);

    const { order } = await shop.client.orders.createOrder(
      { ...shop.order(1, "tok_late"), wait: true },
      { timeoutMs: 1_500 },
    );

    expect(orderState(order?.state ?? State.UNSPECIFIED)).toBe("RESERVED");
  });
});

/** The order service's span of a call says how its handler ended; it is sent when the handler has ended. */
async function expectHandlerEnd(
  shop: Shop,
  traceId: string,
  method: string,
  code: number,
): Promise<void> {
  const name = `weft.order.v1.OrderService/${method}`;
  let ends: unknown[] = [];
  const hasEnded = async () => {
    ends = (await findTrace(shop.mesh.jaegerQueryUrl, traceId))
      .filter((span) => span.name === name && span.service === "order")
      .map(({ tags }) => tags["rpc.grpc.status_code"]);
    return ends.length > 0;
  };
  await eventually(`the handler of ${method} has ended`, hasEnded);
  expect(ends).toEqual([code]);
}
