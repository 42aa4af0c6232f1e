import { once } from "node:events";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../deploy/local/ports.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send, type EdgeRequest } from "../../support/edge-http.ts";
import { NO_ORDER, ORDER } from "./upstream.ts";

const ORIGIN = "http://localhost:5173";
const SHOP = "https://shop.example";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld({ bootstrap: { allowedOrigins: [SHOP] } });
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const FOR_BROWSERS = [
  "strict-transport-security",
  "x-content-type-options",
  "x-frame-options",
  "referrer-policy",
  "content-security-policy",
  "cache-control",
  "access-control-allow-origin",
  "access-control-expose-headers",
];

const grpc = { "content-type": "application/grpc", te: "trailers" };

/** One of each kind of answer: a service's, the transcoder's, filters', routes' and the edge's own. */
const answers: readonly (EdgeRequest & { readonly what: string })[] = [
  { what: "an answer", path: `/v1/${ORDER}` },
  { what: "a service's refusal", path: `/v1/${NO_ORDER}` },
  { what: "no token", path: "/v1/orders", headers: { authorization: "" } },
  { what: "an unknown path", path: "/v1/nothing" },
  { what: "a wrong verb", path: "/v1/orders", method: "DELETE" },
  { what: "a malformed URL", path: "/v1/orders/%c3%28" },
  {
    what: "an unknown field",
    path: "/v1/orders",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"colour":1}',
  },
  {
    what: "a body that is too large",
    path: "/v1/orders",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Buffer.alloc(4 * 1024 * 1024 + 1, "a"),
  },
  {
    what: "a service that is down",
    path: "/v1/products",
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  },
  {
    what: "an unknown gRPC method",
    path: "/weft.order.v1.OrderService/Eat",
    method: "POST",
    headers: grpc,
  },
  { what: "the health of the edge", path: "/healthz" },
];

describe.each(answers)("$what", (request) => {
  it("tells browsers what they may not do with it", async () => {
    const { headers } = await send(world, request);

    expect(headers).toMatchObject({
      "strict-transport-security": "max-age=31536000; includeSubDomains",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
    });
  });

  it("can be read by pages of configured origins, and of no others", async () => {
    const from = async (origin: string) => {
      const headers = { ...request.headers, origin };
      const answer = await send(world, { ...request, headers });
      return answer.headers["access-control-allow-origin"];
    };

    expect(await from(SHOP)).toBe(SHOP);
    expect(await from(ORIGIN)).toBe(ORIGIN);
    expect(await from("https://evil.example")).toBeUndefined();
    expect(await from("https://shop.example.evil.example")).toBeUndefined();
    expect(await from("null")).toBeUndefined();
  });
});

it("tells a gRPC client nothing that only a browser reads, and every other client all of it", async () => {
  const from = async (request: EdgeRequest) => {
    const { headers } = await send(world, {
      ...request,
      headers: { ...request.headers, origin: SHOP },
    });
    return Object.keys(headers);
  };
  const getOrder = {
    path: "/weft.order.v1.OrderService/GetOrder",
    method: "POST",
  };
  const json = { "content-type": "application/json" };
  const grpcWeb = { "content-type": "application/grpc-web+proto" };

  const toBrowsers = [
    await from({ path: `/v1/${ORDER}` }),
    await from({ ...getOrder, headers: json, body: `{"name":"${ORDER}"}` }),
    await from({ ...getOrder, headers: grpcWeb, body: Buffer.alloc(5) }),
  ];
  const toGrpc = await from({ ...getOrder, headers: grpc });

  for (const names of toBrowsers)
    expect(names).toEqual(expect.arrayContaining(FOR_BROWSERS));
  expect(toGrpc.filter((name) => FOR_BROWSERS.includes(name))).toEqual([]);
});

it("lets the reference page be a page, without scripts", async () => {
  const { headers } = await send(world, { path: "/docs" });

  expect(headers["content-security-policy"]).toBe(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  );
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["cache-control"]).toBe("public, max-age=300");
});

it("takes a request id that is one, and passes it on, back and into the log", async () => {
  const id = "11111111-2222-4333-8444-555555555555";

  const answer = await send(world, {
    path: `/v1/${ORDER}`,
    headers: { "x-request-id": id },
  });

  expect(answer.headers["x-request-id"]).toBe(id);
  expect(world.upstream().calls.at(-1)?.get("x-request-id")).toBe(id);
  await expect.poll(() => world.log()).toContain(`"request_id":"${id}"`);
});

it("tells the request's id in an error that is a fault of ours, to be quoted", async () => {
  const answer = await send(world, {
    path: "/v1/products",
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  });

  expect(answer.status).toBe(503);
  expect(answer.json()).toMatchObject({
    details: expect.arrayContaining([
      {
        "@type": "type.googleapis.com/google.rpc.RequestInfo",
        requestId: answer.headers["x-request-id"],
      },
    ]),
  });
});

it.each([
  "",
  "1",
  "x".repeat(300),
  '"}{"',
  "11111111-2222-4333-8444-55555555555g",
])("gives a request its own id where it brings '%s'", async (id) => {
  const answer = await send(world, {
    path: `/v1/${ORDER}`,
    headers: { "x-request-id": id },
  });

  const given = answer.headers["x-request-id"];
  expect(given).toMatch(UUID);
  expect(world.upstream().calls.at(-1)?.get("x-request-id")).toBe(given);
});

it("sends who comes by plain HTTP to the same place by HTTPS", async () => {
  const redirectPort = await freePort();
  await using plain = await startEdgeWorld({ bootstrap: { redirectPort } });

  const answer = await fetch(
    `http://localhost:${redirectPort}/v1/orders?pageSize=2`,
    { method: "POST", body: "{}", redirect: "manual" },
  );

  expect(answer.status).toBe(308);
  expect(answer.headers.get("location")).toBe(
    `${plain.url}/v1/orders?pageSize=2`,
  );
});

it("speaks no HTTP/2 to who comes by plain HTTP", async () => {
  const redirectPort = await freePort();
  await using _ = await startEdgeWorld({ bootstrap: { redirectPort } });
  const session = connect(`http://localhost:${redirectPort}`);

  await expect(once(session, "close")).rejects.toThrow();
});

it("shares its ports with nobody, not even with one who would share", async () => {
  const redirectPort = await freePort();
  await using plain = await startEdgeWorld({ bootstrap: { redirectPort } });

  for (const port of [plain.port, redirectPort]) {
    const second = createServer().listen({
      port,
      host: "127.0.0.1",
      reusePort: true,
    });

    await expect(once(second, "listening")).rejects.toThrow("EADDRINUSE");
  }
});
