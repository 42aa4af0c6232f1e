import { describe, expect, it } from "vitest";
import { send, type EdgeRequest } from "../support/edge-http.ts";
import {
  malformed,
  post,
  refusedByEdge,
  type RefusedRequest,
} from "../support/malformed-requests.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

const ORDER = "orders/01890a5d-ac96-774b-bcce-b302099a8050";

const restCases: readonly RefusedRequest[] = [
  ...refusedByEdge,
  {
    what: "an enum in the body that is not there",
    request: post('{"state":"STATE_LOST"}'),
    ...malformed,
  },
  {
    what: "a field that breaks its rule",
    request: { path: "/v1/orders?pageSize=-1" },
    status: 400,
    code: 3,
    reason: "INVALID_FIELD",
  },
  {
    what: "an unknown order",
    request: { path: `/v1/${ORDER}` },
    status: 404,
    code: 5,
    reason: "ORDER_NOT_FOUND",
  },
];

describe.each([1, 2] as const)("REST over HTTP/%s", (version) => {
  it.each(restCases)(
    "answers $what with the one JSON error",
    async ({ request, status, code, reason }) => {
      const { edge } = meshUnderTest();

      const answer = await send(edge, { ...request, version });

      expect(answer).toMatchObject({
        status,
        headers: { "content-type": "application/json" },
      });
      expect(answer.json()).toMatchObject({
        code,
        message: expect.stringMatching(/./),
        details: expect.arrayContaining([
          expect.objectContaining({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason,
            domain: "weft.dev",
          }),
        ]),
      });
    },
  );
});

const connect = (
  method: string,
  body: string | Uint8Array,
  type = "application/json",
): EdgeRequest => ({
  version: 2,
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
    request: connect("GetOrder", '{"name":'),
    status: 400,
    code: "invalid_argument",
  },
  {
    what: "an unknown field",
    request: connect("GetOrder", `{"name":"${ORDER}","colour":"red"}`),
    status: 400,
    code: "invalid_argument",
  },
  {
    what: "an enum that is not there",
    request: connect("ListOrders", '{"states":["STATE_LOST"]}'),
    status: 400,
    code: "invalid_argument",
  },
  {
    what: "bytes that are no message",
    request: connect(
      "GetOrder",
      Buffer.from([0x0a, 0xff]),
      "application/proto",
    ),
    status: 400,
    code: "invalid_argument",
  },
  {
    what: "bad UTF-8 in a message",
    request: connect(
      "GetOrder",
      Buffer.from([0x0a, 0x02, 0xc3, 0x28]),
      "application/proto",
    ),
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
    const { edge } = meshUnderTest();

    const answer = await send(edge, request);

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

it("Connect does not GET what has side effects", async () => {
  const { edge } = meshUnderTest();

  const answer = await send(edge, {
    version: 2,
    path: "/weft.order.v1.OrderService/CreateOrder?connect=v1&encoding=json&message=%7B%7D",
  });

  expect(answer.status).toBe(405);
});

it.each([
  ["an unknown method", "/weft.order.v1.OrderService/EatOrder"],
  ["an unknown service", "/weft.order.v2.OrderService/GetOrder"],
  ["a REST path", "/v1/orders"],
])("gRPC is told that %s is UNIMPLEMENTED", async (_, path) => {
  const { edge } = meshUnderTest();

  const answer = await send(edge, {
    version: 2,
    method: "POST",
    path,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: Buffer.alloc(5),
  });

  expect(answer).toMatchObject({
    status: 200,
    headers: { "content-type": "application/grpc", "grpc-status": "12" },
  });
});
