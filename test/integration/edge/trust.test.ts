import { afterAll, beforeAll, expect, it } from "vitest";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { connectToEdge } from "../../support/edge-clients.ts";
import { send } from "../../support/edge-http.ts";
import { ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const FORGED = Buffer.from(
  JSON.stringify({ sub: "root", tenant: "victim", scope: "*" }),
).toString("base64url");
const forgedHeaders = {
  "x-weft-claims": FORGED,
  "X-Weft-Tenant": "victim",
  "x-weft-subject": "root",
  "x-envoy-original-path": "/v1/orders",
};

const table = readRouteTable(
  new URL("../../../gen/edge/routes.json", import.meta.url),
);
const serviceMethods = table.services.flatMap(({ methods }) =>
  methods.filter(({ access }) => access === "SERVICE"),
);

it.each([
  {
    kind: "REST over HTTP/1.1",
    request: { path: `/v1/${ORDER}`, version: 1 } as const,
  },
  {
    kind: "REST over HTTP/2",
    request: { path: `/v1/${ORDER}`, version: 2 } as const,
  },
  {
    kind: "Connect",
    request: {
      method: "POST",
      path: "/weft.order.v1.OrderService/GetOrder",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: ORDER }),
    },
  },
])(
  "replaces the claims that a client of $kind made up",
  async ({ request }) => {
    const lower = Object.fromEntries(
      Object.entries(forgedHeaders).map(([name, value]) => [
        name.toLowerCase(),
        value,
      ]),
    );
    const forged =
      "version" in request && request.version === 1 ? forgedHeaders : lower;

    const answer = await send(world, {
      ...request,
      headers: { ...("headers" in request ? request.headers : {}), ...forged },
    });

    expect(answer.status).toBe(200);
    expectDemo(world.upstream().calls.at(-1));
  },
);

it("replaces the claims that a gRPC client made up", async () => {
  using client = connectToEdge(world, "gRPC");

  await client.orders.getOrder({ name: ORDER }, { headers: forgedHeaders });

  expectDemo(world.upstream().calls.at(-1));
});

it("gives a gRPC client a gRPC error, though it claims to come from REST", async () => {
  const answer = await send(world, {
    method: "POST",
    path: "/weft.order.v1.OrderService/Nope",
    headers: {
      "content-type": "application/grpc",
      "x-envoy-original-path": "/v1/orders",
    },
  });

  expect(answer.headers).toMatchObject({
    "content-type": "application/grpc",
    "grpc-status": "12",
  });
});

it("takes no service for another by its address", async () => {
  await using impostor = await startEdgeWorld({ orderIdentity: "payment" });

  const answer = await send(impostor, {
    method: "POST",
    path: "/v1/orders",
    headers: { "content-type": "application/json" },
    body: "{}",
  });

  expect(answer.status).toBe(503);
  await expect
    .poll(() => impostor.log())
    .toContain("CERTIFICATE_VERIFY_FAILED");
}, 30_000);

it("takes no header whose underscores could pass for dashes", async () => {
  const request = { path: `/v1/${ORDER}`, headers: { x_weft_claims: FORGED } };

  const overHttp1 = await send(world, { ...request, version: 1 });

  expect(overHttp1.status).toBe(400);
  // Envoy resets the stream there, without an answer.
  await expect(send(world, { ...request, version: 2 })).rejects.toThrow(
    "Stream closed",
  );
});

it.each(serviceMethods)("reaches $path in no protocol", async ({ path }) => {
  const before = world.upstream().calls.length;
  const types = [
    "application/json",
    "application/proto",
    "application/connect+json",
    "application/grpc",
    "application/grpc-web+proto",
  ];

  const answers = await Promise.all(
    types.map((type) =>
      send(world, {
        method: "POST",
        path,
        headers: { "content-type": type },
        body: "{}",
      }),
    ),
  );

  expect(answers).toMatchObject([
    { status: 404, headers: { "content-type": "application/json" } },
    { status: 404, headers: { "content-type": "application/json" } },
    { status: 200, headers: { "content-type": "application/connect+json" } },
    { status: 200, headers: { "grpc-status": "12" } },
    { status: 200, headers: { "grpc-status": "12" } },
  ]);
  expect(world.upstream().calls.length).toBe(before);
});

it("writes no query string and no token into the access log", async () => {
  const secret = "s3cret";

  await send(world, { path: `/v1/orders?customer=${secret}` });
  await expect.poll(() => world.log()).toContain('"path":"/v1/orders"');

  expect(await world.log()).not.toContain(secret);
  expect(await world.log()).not.toContain(world.token);
  expect(await world.log()).toContain('"tenant":"demo"');
});

function expectDemo(headers: Headers | undefined): void {
  const claims = headers?.get("x-weft-claims") ?? "";
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject(
    { sub: "demo", tenant: "demo" },
  );
  expect(headers?.get("x-weft-tenant") ?? null).toBeNull();
  expect(headers?.get("x-weft-subject") ?? null).toBeNull();
}
