import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send, type EdgeRequest } from "../../support/edge-http.ts";
import {
  post,
  refusedByEdge,
  type RefusedRequest,
} from "../../support/malformed-requests.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const cases: readonly RefusedRequest[] = [
  ...refusedByEdge,
  {
    what: "a call of a service that is down",
    request: post('{"name":"x"}', "/v1/products"),
    status: 503,
    code: 14,
    reason: "SERVICE_UNAVAILABLE",
  },
];

describe.each([1, 2] as const)(
  "REST over HTTP/%s answers with the one JSON error",
  (version) => {
    it.each(cases)("$what", async ({ request, status, code, reason }) => {
      const answer = await send(world, { ...request, version });

      expect(answer).toMatchObject({
        status,
        headers: { "content-type": "application/json" },
      });
      expect(answer.json()).toEqual({
        code,
        message: expect.stringMatching(/./),
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason,
            domain: "weft.dev",
          },
          ...(status < 500
            ? []
            : [
                {
                  "@type": "type.googleapis.com/google.rpc.RequestInfo",
                  requestId: answer.headers["x-request-id"],
                },
              ]),
        ],
      });
    });
  },
);

it("names the verbs of a path that was asked with another", async () => {
  const answer = await send(world, { method: "PUT", path: "/v1/orders" });

  expect(answer.headers["allow"]).toBe("GET, POST");
});

it("takes well-formed UTF-8 of every length in a query", async () => {
  const customer = "aü€😀\u{10FFFF}";

  const answer = await send(world, {
    path: `/v1/orders?customer=${encodeURIComponent(customer)}`,
  });

  expect(answer.json()).toMatchObject({ orders: [{ customer }] });
});

const connect = (
  method: string,
  body: string | Buffer,
  type = "application/json",
): EdgeRequest => ({
  method: "POST",
  path: `/weft.order.v1.OrderService/${method}`,
  headers: { "content-type": type, "connect-protocol-version": "1" },
  body,
});

it.each([
  {
    what: "an unknown method",
    request: connect("EatOrder", "{}"),
    status: 404,
    code: "unimplemented",
  },
  {
    what: "malformed JSON",
    request: connect("GetOrder", "{"),
    status: 400,
    code: "invalid_argument",
  },
  {
    what: "a body over 4 MiB",
    request: connect("GetOrder", Buffer.alloc(4 * 1024 * 1024 + 1, " ")),
    status: 413,
    code: "resource_exhausted",
  },
])(
  "Connect answers $what with a Connect error",
  async ({ request, status, code }) => {
    const answer = await send(world, request);

    expect(answer).toMatchObject({
      status,
      headers: { "content-type": "application/json" },
    });
    expect(answer.json()).toMatchObject({
      code,
      message: expect.stringMatching(/./),
    });
  },
);

it("ends a Connect stream to a service that is down with a Connect error", async () => {
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

it.each([
  "/",
  "/v1/orders",
  "/weft.order.v1.OrderService/EatOrder",
  "/weft.order.v1.OrderService/",
])("gRPC to the path '%s' is UNIMPLEMENTED, not JSON", async (path) => {
  const answer = await send(world, {
    method: "POST",
    path,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: Buffer.alloc(5),
  });

  expect(answer).toMatchObject({
    status: 200,
    headers: { "content-type": "application/grpc", "grpc-status": "12" },
  });
  expect(answer.headers["grpc-message"]).not.toContain("{");
  expect(answer.body.length).toBe(0);
});

it.each(["application/grpc", "application/grpc-web+proto"])(
  "a message over 4 MiB in %s is RESOURCE_EXHAUSTED",
  async (type) => {
    const length = 4 * 1024 * 1024 + 1;
    const body = Buffer.alloc(5 + length, "a");
    body.writeUInt8(0);
    body.writeUInt32BE(length, 1);

    const answer = await send(world, {
      method: "POST",
      path: "/weft.order.v1.OrderService/GetOrder",
      headers: { "content-type": type, te: "trailers" },
      body,
    });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "grpc-status": "8" },
    });
  },
);
