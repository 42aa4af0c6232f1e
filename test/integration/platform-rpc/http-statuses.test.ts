import { Code, createClient } from "@connectrpc/connect";
import { constants, type ServerHttp2Stream } from "node:http2";
import { expect, it } from "vitest";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { setupRawCallee } from "./raw-callee.ts";
import { orderName } from "./rpc-world.ts";

it("takes HTTP 429 without a gRPC status for RESOURCE_EXHAUSTED, and does not try again", async () => {
  await using callee = await setupRawCallee("order", (stream) => {
    stream.respond({ ":status": 429, "retry-after": "3" });
    stream.end();
  });

  const call = createClient(OrderService, callee.transport).getOrder({
    name: orderName,
  });

  await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(callee.calls()).toBe(1);
});

it("sends once more what was refused unread, though it may not be sent twice", async () => {
  await using callee = await setupRawCallee("order", answerFromTheSecondOn);

  // Without a request id: a second one would be another order.
  await createClient(OrderService, callee.transport).createOrder({
    order: { lines: [{ sku: "mug", quantity: 1 }] },
  });

  expect(callee.calls()).toBe(2);
});

it("opens a stream once more that was refused unread", async () => {
  await using callee = await setupRawCallee("order", answerFromTheSecondOn);

  const told: unknown[] = [];
  const orders = createClient(OrderService, callee.transport);
  for await (const event of orders.watchOrders({})) told.push(event);

  expect(told).toHaveLength(1);
  expect(callee.calls()).toBe(2);
});

/** As a server that has said GOAWAY does with a stream that was on its way: its application never sees it. */
function answerFromTheSecondOn(stream: ServerHttp2Stream, call: number): void {
  if (call === 1) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
  stream.respond(
    { ":status": 200, "content-type": "application/grpc" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(EMPTY_MESSAGE);
}

/** Not compressed, of no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);
