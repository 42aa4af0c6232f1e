import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ListOrdersRequestSchema } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { send } from "../../support/edge-http.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { openSession } from "./open-session.ts";
import { NONE, SLOW } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const LIST_ORDERS = "/weft.order.v1.OrderService/ListOrders";
const WATCH_ORDERS = "/weft.order.v1.OrderService/WatchOrders";

const slow = create(ListOrdersRequestSchema, { customer: SLOW });
const binary = Buffer.from(toBinary(ListOrdersRequestSchema, slow));
const json = Buffer.from(toJsonString(ListOrdersRequestSchema, slow));

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function byGet(encoding: string, message: Buffer): string {
  const query = new URLSearchParams({
    connect: "v1",
    encoding,
    base64: "1",
    message: message.toString("base64url"),
  });
  return `${LIST_ORDERS}?${query.toString()}`;
}

const connectTimeout = { "connect-timeout-ms": "700" };
const grpcTimeout = { "grpc-timeout": "700m" };
const told = {
  status: 504,
  text: expect.stringMatching(/"deadline_exceeded".*"DEADLINE_EXCEEDED"/),
};

it.each([
  {
    kind: "Connect JSON",
    headers: { ...connectTimeout, "content-type": "application/json" },
    body: json,
    answer: told,
  },
  {
    kind: "Connect binary",
    headers: { ...connectTimeout, "content-type": "application/proto" },
    body: binary,
    answer: told,
  },
  {
    kind: "Connect JSON by GET",
    method: "GET",
    path: byGet("json", json),
    headers: connectTimeout,
    answer: told,
  },
  {
    kind: "Connect binary by GET",
    method: "GET",
    path: byGet("proto", binary),
    headers: connectTimeout,
    answer: told,
  },
  {
    kind: "gRPC-Web",
    headers: { ...grpcTimeout, "content-type": "application/grpc-web+proto" },
    body: framed(binary),
    answer: { status: 200, text: expect.stringContaining("grpc-status: 4") },
  },
  {
    kind: "gRPC",
    headers: {
      ...grpcTimeout,
      "content-type": "application/grpc+proto",
      te: "trailers",
    },
    body: framed(binary),
    answer: {
      status: 200,
      headers: { "grpc-status": "4" },
    },
  },
  {
    kind: "REST",
    method: "GET",
    path: `/v1/orders?customer=${SLOW}`,
    headers: grpcTimeout,
    answer: {
      status: 504,
      text: expect.stringContaining('"code":4'),
    },
  },
  {
    kind: "a stream of gRPC-Web",
    path: WATCH_ORDERS,
    headers: { ...grpcTimeout, "content-type": "application/grpc-web+proto" },
    body: framed(Buffer.alloc(0)),
    answer: { status: 200, text: expect.stringContaining("grpc-status: 4") },
  },
  {
    kind: "a stream of Connect",
    path: WATCH_ORDERS,
    headers: { ...connectTimeout, "content-type": "application/connect+proto" },
    body: framed(Buffer.alloc(0)),
    answer: {
      status: 200,
      text: expect.stringContaining('"code":"deadline_exceeded"'),
    },
  },
])(
  "ends a call of $kind at a deadline that its client leaves to the server",
  async ({ answer, ...request }) => {
    const start = performance.now();

    const received = await send(world, {
      method: "POST",
      path: LIST_ORDERS,
      ...request,
    });

    expect(received).toMatchObject(answer);
    // Not by the contract's own limit, which is longer.
    expect(performance.now() - start).toBeLessThan(4_900);
  },
);

const quick = create(ListOrdersRequestSchema, { customer: NONE });
const asked = framed(toBinary(ListOrdersRequestSchema, quick));

it.each(["junk", "", "1", "S", "-1S", "1.5S", "123456789S", "1S 1S", "1s"])(
  "calls the deadline '%s' malformed in every protocol that has it",
  async (timeout) => {
    const headers = { "grpc-timeout": timeout };
    const rpc = (type: string) => ({
      method: "POST",
      path: LIST_ORDERS,
      headers: { ...headers, "content-type": type, te: "trailers" },
      body: asked,
    });

    const answers = await Promise.all([
      send(world, { path: `/v1/orders?customer=${NONE}`, headers }),
      send(world, rpc("application/grpc+proto")),
      send(world, rpc("application/grpc-web+proto")),
    ]);

    expect(answers).toMatchObject([
      { status: 400, text: expect.stringContaining("MALFORMED_REQUEST") },
      { status: 200, headers: { "grpc-status": "3" } },
      { status: 200, headers: { "grpc-status": "3" } },
    ]);
  },
);

it("calls a deadline malformed before its stream of requests has ended", async () => {
  const session = await openSession(world);
  const stream = session.request({
    ":method": "POST",
    ":path": "/weft.sort.v1.SortService/SortStream",
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${world.token}`,
    "grpc-timeout": "junk",
  });

  const [headers] = await once(stream, "response");

  expect(headers).toMatchObject({ "grpc-status": "3" });
  session.destroy();
});

it.each(["99999999H", "1S", "09000m", "9000000u", "99999999n"])(
  "knows the deadline %s",
  async (timeout) => {
    const answer = await send(world, {
      path: `/v1/orders?customer=${NONE}`,
      headers: { "grpc-timeout": timeout },
    });

    expect([200, 504]).toContain(answer.status);
  },
);
