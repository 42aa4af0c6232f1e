import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { http, type HttpRequest } from "./http-request.ts";
import { ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const post = (body: string | Buffer, path = "/v1/orders"): HttpRequest => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body,
});
const lines = (line: string) => post(`{"paymentToken":"x","lines":[${line}]}`);

interface Case {
  readonly what: string;
  readonly request: HttpRequest;
  readonly status: number;
  readonly code: number;
  readonly reason: string;
}

const malformed = { status: 400, code: 3, reason: "MALFORMED_REQUEST" };
const cases: readonly Case[] = [
  {
    what: "an unknown path",
    request: { path: "/v1/nothing" },
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "a path outside the API",
    request: { path: "/" },
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "an unknown custom verb",
    request: post("{}", `/v1/${ORDER}:eat`),
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "a wrong verb",
    request: { method: "DELETE", path: "/v1/orders" },
    status: 405,
    code: 12,
    reason: "VERB_NOT_ALLOWED",
  },
  {
    what: "a GET of a custom verb",
    request: { path: `/v1/${ORDER}:cancel` },
    status: 405,
    code: 12,
    reason: "VERB_NOT_ALLOWED",
  },
  { what: "JSON that ends early", request: post('{"lines":['), ...malformed },
  { what: "what is no JSON", request: post("<order/>"), ...malformed },
  {
    what: "a value of another type",
    request: lines('{"sku":"tea","quantity":"many"}'),
    ...malformed,
  },
  {
    what: "an enum that is not there",
    request: { path: "/v1/orders?states=STATE_LOST" },
    ...malformed,
  },
  {
    what: "an int32 out of range",
    request: lines('{"sku":"tea","quantity":2147483648}'),
    ...malformed,
  },
  {
    what: "an int64 out of range",
    request: post(
      '{"paymentToken":"x","expectedTotal":{"units":"9223372036854775808"}}',
    ),
    ...malformed,
  },
  {
    what: "an int64 that is no number",
    request: post('{"paymentToken":"x","expectedTotal":{"units":"ten"}}'),
    ...malformed,
  },
  {
    what: "bad UTF-8 in a body",
    request: post(
      Buffer.from([
        ...Buffer.from('{"paymentToken":"'),
        0xc3,
        0x28,
        ...Buffer.from('"}'),
      ]),
    ),
    ...malformed,
  },
  {
    what: "bad UTF-8 in a path",
    request: { path: "/v1/orders/%c3%28" },
    ...malformed,
  },
  {
    what: "bad UTF-8 in a query",
    request: { path: "/v1/orders?customer=%ff" },
    ...malformed,
  },
  {
    what: "an overlong form in a query",
    request: { path: "/v1/orders?customer=%c0%af" },
    ...malformed,
  },
  {
    what: "a surrogate in a query",
    request: { path: "/v1/orders?customer=%ed%a0%80" },
    ...malformed,
  },
  {
    what: "a NUL in a query",
    request: { path: "/v1/orders?customer=%00" },
    ...malformed,
  },
  {
    what: "a percent sign that encodes nothing",
    request: { path: "/v1/orders?customer=%zz" },
    ...malformed,
  },
  {
    what: "an escaped slash",
    request: { path: "/v1/orders%2Fx" },
    ...malformed,
  },
  {
    what: "an unknown query parameter",
    request: { path: "/v1/orders?colour=red" },
    ...malformed,
  },
  {
    what: "a body over 4 MiB",
    request: post(Buffer.alloc(4 * 1024 * 1024 + 1, "a")),
    status: 413,
    code: 8,
    reason: "REQUEST_TOO_LARGE",
  },
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
      const answer = await http(world, { ...request, version });

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
  const answer = await http(world, { method: "PUT", path: "/v1/orders" });

  expect(answer.headers["allow"]).toBe("GET, POST");
});

it("takes well-formed UTF-8 of every length in a query", async () => {
  const customer = "aü€😀\u{10FFFF}";

  const answer = await http(world, {
    path: `/v1/orders?customer=${encodeURIComponent(customer)}`,
  });

  expect(answer.json()).toMatchObject({ orders: [{ customer }] });
});

const connect = (
  method: string,
  body: string | Buffer,
  type = "application/json",
): HttpRequest => ({
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
    const answer = await http(world, request);

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

it.each([
  "/",
  "/v1/orders",
  "/weft.order.v1.OrderService/EatOrder",
  "/weft.order.v1.OrderService/",
])("gRPC to the path '%s' is UNIMPLEMENTED, not JSON", async (path) => {
  const answer = await http(world, {
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
