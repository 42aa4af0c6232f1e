import {
  create,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ListOrdersRequestSchema,
  ListOrdersResponseSchema,
} from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { compressingTransports, orderClient, transports } from "./clients.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { MANY, ORDER } from "./upstream.ts";

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

const compressing = ["Connect JSON", "Connect binary", "gRPC-Web", "gRPC"];

function client(kind: string, of = transports(world)) {
  const transport = of[kind];
  if (transport === undefined) throw new Error(kind);
  return orderClient(transport);
}

describe.each(kinds)("over %s", (kind) => {
  it("headers come back before the answer and trailers after it", async () => {
    const seen: Record<string, string | null> = {};

    await client(kind).listOrders(
      {},
      {
        headers: { "x-asked": "how much?" },
        onHeader: (headers) => (seen["header"] = headers.get("x-seen")),
        onTrailer: (trailers) => (seen["trailer"] = trailers.get("x-counted")),
      },
    );

    expect(seen).toEqual({ header: "how much?", trailer: "9" });
  });

  it("an answer of megabytes arrives whole", async () => {
    const { orders } = await client(kind).listOrders({ customer: MANY });

    expect(orders).toHaveLength(20_000);
    expect(orders.at(-1)).toMatchObject({ name: ORDER, customer: MANY });
  });

  it("an empty request is one", async () => {
    const { orders } = await client(kind).listOrders({});

    expect(orders).toMatchObject([{ name: ORDER, customer: "" }]);
  });
});

it("asks by GET where a client is told to, in both encodings", async () => {
  const kindsOfGet = kinds.filter((kind) => kind.endsWith("GET"));

  for (const kind of kindsOfGet) await client(kind).listOrders({});

  const gets = async () =>
    (await world.log()).match(/"method":"GET","path":"\/weft\.order\./g) ?? [];
  await expect
    .poll(async () => (await gets()).length, { timeout: 4_000 })
    .toBeGreaterThanOrEqual(kindsOfGet.length);
  expect(kindsOfGet).toHaveLength(2);
});

describe.each(compressing)("compressed, over %s", (kind) => {
  it("requests and answers arrive as they were", async () => {
    const lines = Array.from({ length: 100 }, (_, at) => ({
      sku: `tea-${at}`,
      quantity: at + 1,
    }));
    const orders = client(kind, compressingTransports(world));

    const { order } = await orders.createOrder({
      order: { lines, paymentToken: "tok_1" },
    });

    expect(order?.lines).toMatchObject(lines);
  });
});

const json = (body: Uint8Array) =>
  fromJsonString(ListOrdersResponseSchema, Buffer.from(body).toString());
const proto = (body: Uint8Array) => fromBinary(ListOrdersResponseSchema, body);
const request = create(ListOrdersRequestSchema, { customer: MANY });

/** How a client of each protocol says that a message is compressed, and what it takes. */
const wires = [
  {
    protocol: "Connect JSON",
    type: "application/json",
    encoding: "content-encoding",
    accepts: "accept-encoding",
    message: Buffer.from(toJsonString(ListOrdersRequestSchema, request)),
    read: json,
  },
  {
    protocol: "Connect binary",
    type: "application/proto",
    encoding: "content-encoding",
    accepts: "accept-encoding",
    message: toBinary(ListOrdersRequestSchema, request),
    read: proto,
  },
  {
    protocol: "gRPC-Web",
    type: "application/grpc-web+proto",
    encoding: "grpc-encoding",
    accepts: "grpc-accept-encoding",
    message: toBinary(ListOrdersRequestSchema, request),
    read: proto,
  },
  {
    protocol: "gRPC",
    type: "application/grpc+proto",
    encoding: "grpc-encoding",
    accepts: "grpc-accept-encoding",
    message: toBinary(ListOrdersRequestSchema, request),
    read: proto,
  },
];

it.each(wires)(
  "what goes over the wire is compressed both ways over $protocol",
  async ({ type, encoding, accepts, message, read }) => {
    const isFramed = encoding === "grpc-encoding";
    const zipped = gzipSync(message);

    const answer = await send(world, {
      method: "POST",
      path: "/weft.order.v1.OrderService/ListOrders",
      headers: {
        "content-type": type,
        [encoding]: "gzip",
        [accepts]: "gzip",
        ...(type === "application/grpc+proto" && { te: "trailers" }),
      },
      body: isFramed ? compressedFrame(zipped) : zipped,
    });

    expect(answer.headers[encoding]).toBe("gzip");
    const bytes = isFramed ? messageOfFrame(answer.body) : answer.body;
    const { orders } = read(gunzipSync(bytes));
    expect(orders).toHaveLength(20_000);
    expect(orders.at(-1)).toMatchObject({ name: ORDER, customer: MANY });
    expect(answer.body.length).toBeLessThan(1_000_000);
  },
);

describe("over REST", () => {
  const authorization = () => `Bearer ${world.token}`;

  it("what goes over the wire is compressed", async () => {
    const answer = await send(world, {
      path: `/v1/orders?customer=${MANY}`,
      headers: { "accept-encoding": "gzip" },
    });

    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(json(gunzipSync(answer.body)).orders).toHaveLength(20_000);
  });

  it("a client that names a compression of gRPC's is answered in JSON", async () => {
    const answer = await send(world, {
      path: `/v1/orders?customer=${MANY}`,
      headers: { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" },
    });

    expect(answer.json()).toMatchObject({ orders: { length: 20_000 } });
  });

  it("headers come back", async () => {
    const answer = await send(world, {
      path: "/v1/orders",
      headers: { authorization: authorization(), "x-asked": "how much?" },
    });

    expect(answer.headers["x-seen"]).toBe("how much?");
  });

  it("an answer of megabytes arrives whole", async () => {
    const answer = await send(world, {
      path: `/v1/orders?customer=${MANY}`,
      headers: { authorization: authorization() },
    });

    const { orders } = answer.json() as { orders: object[] };
    expect(orders).toHaveLength(20_000);
    expect(orders.at(-1)).toMatchObject({ name: ORDER, customer: MANY });
  });
});

/** Flag 1, of a compressed message, and its length before it. */
function compressedFrame(message: Uint8Array): Buffer {
  const prefix = Buffer.from([1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function messageOfFrame(body: Buffer): Buffer {
  expect(body[0]).toBe(1);
  return body.subarray(5, 5 + body.readUInt32BE(1));
}
