import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { Order_State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createClient } from "@connectrpc/connect";
import { grpcCall, orderClient, transports } from "./clients.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { NO_ORDER, ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const kinds = [
  "Connect JSON over HTTP/2",
  "Connect binary over HTTP/2",
  "Connect JSON over HTTP/1.1",
  "Connect JSON by GET",
  "Connect binary by GET",
  "gRPC-Web over HTTP/2",
  "gRPC-Web over HTTP/1.1",
  "connect-node's gRPC",
];

describe.each(kinds)("a client of %s", (kind) => {
  function setup() {
    const transport = transports(world)[kind];
    if (transport === undefined) throw new Error(kind);
    return {
      orders: orderClient(transport),
      inventory: createClient(InventoryService, transport),
    };
  }

  it("gets an answer to a unary call", async () => {
    const { orders } = setup();

    const { order } = await orders.getOrder({ name: ORDER });

    expect(order).toMatchObject({ name: ORDER, state: Order_State.PLACED });
  });

  it("gets the messages of a stream", async () => {
    const { orders } = setup();

    const events: (string | undefined)[] = [];
    for await (const { event } of orders.watchOrders({ name: ORDER }))
      events.push(event.case);

    expect(events).toEqual(["order", "heartbeat"]);
  });

  it("gets a service's error with its details", async () => {
    const { orders } = setup();

    const error = await failure(orders.getOrder({ name: NO_ORDER }));

    expect(error.code).toBe(Code.NotFound);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "ORDER_NOT_FOUND", domain: "weft.dev" },
    ]);
  });

  it("gets a stream's error with its details", async () => {
    const { orders } = setup();

    const error = await failure(first(orders.watchOrders({ name: NO_ORDER })));

    expect(error.code).toBe(Code.NotFound);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "ORDER_NOT_FOUND" },
    ]);
  });

  it("gets UNIMPLEMENTED from the edge for a method of services only", async () => {
    const { inventory } = setup();

    const error = await failure(inventory.reserve({}));

    expect(error.code).toBe(Code.Unimplemented);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "UNKNOWN_METHOD", domain: "weft.dev" },
    ]);
  });

  it("gets UNAVAILABLE from the edge where a service is down", async () => {
    const { inventory } = setup();

    const error = await failure(inventory.createProduct({}));

    expect(error.code).toBe(Code.Unavailable);
    expect(error.rawMessage).toBe("the service is not available");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "SERVICE_UNAVAILABLE" },
    ]);
  });
});

describe("a client of grpc-js", () => {
  it("gets an answer to a unary call", async () => {
    const { order } = await grpcCall(world, OrderService.method.getOrder, {
      name: ORDER,
    });

    expect(order?.name).toBe(ORDER);
  });

  it("gets a service's error with its details", async () => {
    const call = grpcCall(world, OrderService.method.getOrder, {
      name: NO_ORDER,
    });

    await expect(call).rejects.toMatchObject({ code: Code.NotFound });
    expect(reasonOf(await call.catch((error: unknown) => error))).toBe(
      "ORDER_NOT_FOUND",
    );
  });

  it("gets UNIMPLEMENTED from the edge for a method of services only", async () => {
    const call = grpcCall(world, InventoryService.method.reserve, {});

    await expect(call).rejects.toMatchObject({
      code: Code.Unimplemented,
      details: "there is no such method",
    });
    expect(reasonOf(await call.catch((error: unknown) => error))).toBe(
      "UNKNOWN_METHOD",
    );
  });

  it("gets UNAVAILABLE from the edge where a service is down", async () => {
    const call = grpcCall(world, InventoryService.method.createProduct, {});

    await expect(call).rejects.toMatchObject({
      code: Code.Unavailable,
      details: "the service is not available",
    });
  });
});

describe("a stream to a service that is down", () => {
  it("ends with a Connect error", async () => {
    const body = Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]);

    const answer = await send(world, {
      method: "POST",
      path: "/weft.inventory.v1.InventoryService/CreateProduct",
      headers: {
        "content-type": "application/connect+json",
        "connect-protocol-version": "1",
      },
      body,
    });

    const bytes = answer.body;
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/connect+json" },
    });
    expect(bytes[0]).toBe(2);
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - 5);
    expect(JSON.parse(bytes.subarray(5).toString())).toMatchObject({
      error: { code: "unavailable" },
    });
  });
});

async function first<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const message of stream) return message;
  return undefined;
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  if (error === undefined) throw new Error("the call did not fail");
  return error;
}

/** The ErrorInfo reason in a grpc-js error. */
function reasonOf(error: unknown): string | undefined {
  const metadata =
    error instanceof Error && "metadata" in error ? error.metadata : undefined;
  if (!(metadata instanceof Metadata)) return undefined;
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Buffer)) return undefined;
  const [detail] = fromBinary(StatusSchema, bytes).details;
  return detail && anyUnpack(detail, ErrorInfoSchema)?.reason;
}
