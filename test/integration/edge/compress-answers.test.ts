import {
  create,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { createGunzip, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ListOrdersRequestSchema,
  ListOrdersResponseSchema,
} from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { open, send } from "../../support/edge-http.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { LOST_ORDER, MANY, NO_ORDER, ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const gzip = { "accept-encoding": "gzip" };

describe.each([1, 2] as const)("over HTTP/%s", (version) => {
  it.each([`/v1/orders?customer=${MANY}`, "/openapi.json", "/docs"])(
    "%s arrives compressed where the client takes it, and is the same",
    async (path) => {
      const plain = await send(world, { path, version });
      const answer = await send(world, { path, version, headers: gzip });

      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-encoding": "gzip",
        "content-type": plain.headers["content-type"],
        vary: expect.stringMatching(/accept-encoding/i),
      });
      expect(plain.headers["content-encoding"]).toBeUndefined();
      expect(plain.headers.vary).toMatch(/accept-encoding/i);
      expect(answer.body.length).toBeLessThan(plain.body.length / 3);
      expect(gunzipSync(answer.body).equals(plain.body)).toBe(true);
    },
  );

  it("a resource out of its message arrives compressed whole", async () => {
    const lines = Array.from({ length: 100 }, (_, at) => ({
      sku: `tea-${at}`,
      quantity: 1,
    }));
    const body = JSON.stringify({ lines, paymentToken: "tok_1" });
    const request = {
      method: "POST",
      path: "/v1/orders",
      version,
      body,
    };
    const json = { "content-type": "application/json" };

    const plain = await send(world, { ...request, headers: json });
    const answer = await send(world, {
      ...request,
      headers: { ...json, ...gzip },
    });

    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(answer.body).toString()).toBe(plain.text);
    expect(plain.json()).toMatchObject({ name: ORDER, lines: { length: 100 } });
  });

  it("lines of a stream arrive compressed, each as it is sent", async () => {
    const cancel = new AbortController();
    const answer = await open(world, {
      path: "/v1/orders:watch",
      version,
      headers: gzip,
      signal: cancel.signal,
    });
    const input = Readable.from(answer.body)
      .on("error", () => undefined)
      .pipe(createGunzip());
    const lines = createInterface({ input })[Symbol.asyncIterator]();

    // The stream has no end.
    const first = await lines.next();
    const second = await lines.next();

    expect(answer.headers).toMatchObject({
      "content-encoding": "gzip",
      "content-type": "application/x-ndjson",
    });
    expect(JSON.parse(String(first.value))).toMatchObject({
      order: { name: ORDER },
    });
    expect(JSON.parse(String(second.value))).toMatchObject({
      heartbeat: expect.any(String),
    });
    cancel.abort();
  });
});

it("a stream that ends, or fails, ends its compression too", async () => {
  const ended = await send(world, {
    path: `/v1/orders:watch?name=${ORDER}`,
    headers: gzip,
  });
  const failed = await send(world, {
    path: `/v1/orders:watch?name=${LOST_ORDER}`,
    headers: gzip,
  });

  const lines = (body: Buffer) =>
    gunzipSync(body)
      .toString()
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
  expect(lines(ended.body)).toMatchObject([
    { order: {} },
    { heartbeat: expect.any(String) },
  ]);
  expect(lines(failed.body)).toMatchObject([
    { order: {} },
    { error: { code: 5 } },
  ]);
});

it.each([
  { what: "a small answer", path: `/v1/${ORDER}` },
  { what: "a service's refusal", path: `/v1/${NO_ORDER}` },
  { what: "a stream's refusal", path: `/v1/orders:watch?name=${NO_ORDER}` },
  {
    what: "a refusal of a token",
    path: "/v1/orders",
    headers: { authorization: "Bearer x" },
  },
  { what: "a refusal of a query", path: "/v1/orders?colour=red" },
  { what: "a refusal of a path", path: "/v1/nothing" },
  { what: "the health of the edge", path: "/healthz" },
])("$what stays as it is", async ({ path, headers }) => {
  const plain = await send(world, { path, ...(headers && { headers }) });
  const answer = await send(world, { path, headers: { ...headers, ...gzip } });

  expect(answer.headers["content-encoding"]).toBeUndefined();
  expect(answer.status).toBe(plain.status);
  expect(answer.text).toBe(plain.text);
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

it("a client of REST that names a compression of gRPC's is answered in JSON", async () => {
  const answer = await send(world, {
    path: `/v1/orders?customer=${MANY}`,
    headers: { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" },
  });

  expect(answer.json()).toMatchObject({ orders: { length: 20_000 } });
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
