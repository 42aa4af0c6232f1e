import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { MANY, LOST_ORDER, NO_ORDER, ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const JSON_TYPE = { "content-type": "application/json" };
const ORDER_BODY = JSON.stringify({
  lines: [{ sku: "tea", quantity: 2 }],
  paymentToken: "tok_1",
});

describe.each([1, 2] as const)("REST over HTTP/%s", (version) => {
  it("answers a GET with the resource itself", async () => {
    const answer = await send(world, { path: `/v1/${ORDER}`, version });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json" },
    });
    expect(answer.json()).toEqual({ name: ORDER, state: "STATE_PLACED" });
    expect(answer.headers["content-length"]).toBe(String(answer.body.length));
  });

  it("takes a body", async () => {
    const answer = await send(world, {
      method: "POST",
      path: "/v1/orders",
      headers: JSON_TYPE,
      body: ORDER_BODY,
      version,
    });

    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      name: ORDER,
      lines: [{ sku: "tea", quantity: 2 }],
    });
  });

  it("streams a line of JSON a message", async () => {
    const answer = await send(world, {
      path: `/v1/orders:watch?name=${ORDER}`,
      version,
    });

    const lines = answer.text
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/x-ndjson" },
    });
    expect(lines).toMatchObject([
      { order: { name: ORDER } },
      { heartbeat: expect.any(String) },
    ]);
  });

  it("tells of a failure in mid-stream in a last line", async () => {
    const answer = await send(world, {
      path: `/v1/orders:watch?name=${LOST_ORDER}`,
      version,
    });

    const lines = answer.text
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(answer.status).toBe(200);
    expect(lines).toEqual([
      { order: { name: ORDER } },
      {
        error: {
          code: 5,
          message: `there is no ${LOST_ORDER}`,
          details: [
            {
              "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              reason: "ORDER_NOT_FOUND",
              domain: "weft.dev",
              metadata: { order: LOST_ORDER },
            },
          ],
        },
      },
    ]);
  });

  it("answers a service's error with its details", async () => {
    const answer = await send(world, { path: `/v1/${NO_ORDER}`, version });

    expect(answer).toMatchObject({
      status: 404,
      headers: { "content-type": "application/json" },
    });
    expect(answer.json()).toMatchObject({
      code: 5,
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "ORDER_NOT_FOUND",
          domain: "weft.dev",
        },
      ],
    });
  });

  it("answers a stream's early error as an error", async () => {
    const answer = await send(world, {
      path: `/v1/orders:watch?name=${NO_ORDER}`,
      version,
    });

    expect(answer).toMatchObject({
      status: 404,
      headers: { "content-type": "application/json" },
    });
    expect(answer.json()).toMatchObject({
      code: 5,
      details: [{ reason: "ORDER_NOT_FOUND" }],
    });
  });
});

it("takes a custom verb", async () => {
  const answer = await send(world, {
    method: "POST",
    path: `/v1/${ORDER}:cancel`,
    headers: JSON_TYPE,
    body: "{}",
  });

  expect(answer).toMatchObject({ status: 200 });
  expect(answer.json()).toEqual({ name: ORDER, state: "STATE_CANCELLING" });
});

it("passes a response far larger than the connection's buffer", async () => {
  const answer = await send(world, { path: `/v1/orders?customer=${MANY}` });

  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ orders: { length: 20_000 } });
  expect(answer.body.length).toBeGreaterThan(2_000_000);
});

it("passes a body of nearly the limit", async () => {
  const line = { sku: "tea", quantity: 1 };
  const body = JSON.stringify({
    lines: [line],
    paymentToken: "x",
    failure: { message: "y".repeat(3_900_000) },
  });

  const answer = await send(world, {
    method: "POST",
    path: "/v1/orders",
    headers: JSON_TYPE,
    body,
  });

  expect(answer.status).toBe(200);
});

it("answers /healthz itself", async () => {
  const answer = await send(world, { path: "/healthz" });

  expect(answer).toMatchObject({
    status: 200,
    headers: { "content-type": "application/json" },
  });
  expect(answer.json()).toEqual({ status: "SERVING" });
});

it("lets a browser on localhost read the errors of gRPC-Web", async () => {
  const origin = { origin: "http://localhost:5173" };
  const preflight = await send(world, {
    method: "OPTIONS",
    path: "/weft.order.v1.OrderService/GetOrder",
    headers: {
      ...origin,
      authorization: "",
      "access-control-request-method": "POST",
      "access-control-request-headers": "x-grpc-web",
    },
  });
  const answer = await send(world, {
    path: "/v1/orders?colour=red",
    headers: origin,
  });

  expect(preflight).toMatchObject({
    status: 200,
    headers: { "access-control-allow-origin": origin.origin },
  });
  expect(preflight.headers["access-control-allow-headers"]).toContain(
    "x-grpc-web",
  );
  expect(answer).toMatchObject({
    status: 400,
    headers: { "access-control-allow-origin": origin.origin },
  });
  expect(answer.headers["access-control-expose-headers"]).toContain(
    "grpc-status-details-bin",
  );
});

it("lets no browser on another origin read anything", async () => {
  const answer = await send(world, {
    path: `/v1/${ORDER}`,
    headers: { origin: "https://evil.example" },
  });

  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
});
