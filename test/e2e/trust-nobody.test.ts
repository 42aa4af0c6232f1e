import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readRouteTable } from "../../deploy/edge/route-table.ts";
import {
  AuthorizeRequestSchema,
  PaymentService,
} from "../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { clientKinds, connectToEdge } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { send, type EdgeRequest } from "../support/edge-http.ts";
import { tokenFor } from "../support/edge-token.ts";
import { openShop, type Shop } from "../support/mesh-shop.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

const claims = Buffer.from(
  JSON.stringify({ sub: "root", tenant: "victim", scope: "" }),
).toString("base64url");
const FORGED = {
  "x-weft-claims": claims,
  "x-weft-tenant": "victim",
  "x-weft-subject": "root",
};

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("is who the edge says, whatever headers it makes up", async () => {
    using shop = await openShop(kind);

    const { order } = await shop.client.orders.createOrder(shop.order(1), {
      headers: FORGED,
    });

    expect(order?.customer).toBe("demo");
    await expect(shop.get(order?.name ?? "")).resolves.toBeDefined();
  });
});

describe.each(clientKinds)("a shopper of %s", { concurrent: true }, (kind) => {
  it("can't give itself money back", async () => {
    const { edge, directory } = meshUnderTest();
    const token = await tokenFor(directory, { user: "alice" });
    using shop = await openShop(kind);
    using alice = connectToEdge({ ...edge, token }, kind);
    const { name, payment } = await shop.settled(shop.order(1));

    const refusal = await refusalOf(
      alice.payments.refund(
        { name: payment, refundId: randomUUID() },
        { headers: FORGED },
      ),
    );

    expect(refusal).toMatchObject({
      code: "PermissionDenied",
      reason: "SCOPE_MISSING",
    });
    expect(await shop.money(name)).toMatchObject({ refunds: 0 });
  });
});

const AUTHORIZE = `/${PaymentService.typeName}/Authorize`;

/** Forms of a path that a proxy and a server behind it might read differently. */
const disguises = [
  AUTHORIZE,
  `/${AUTHORIZE}`,
  `${AUTHORIZE}/`,
  `/.${AUTHORIZE}`,
  `/x/..${AUTHORIZE}`,
  `/x/%2e%2e${AUTHORIZE}`,
  `/x%2f..${AUTHORIZE}`,
  AUTHORIZE.replace("Authorize", "%41uthorize"),
  AUTHORIZE.replace("/Authorize", "%2fAuthorize"),
  AUTHORIZE.replace("/Authorize", ";a=b/Authorize"),
  AUTHORIZE.replace("/Authorize", "\\Authorize"),
  `${AUTHORIZE}?connect=v1`,
  `/v1/orders/..${AUTHORIZE}`,
  AUTHORIZE.toLowerCase(),
];
const contentTypes = [
  "application/json",
  "application/proto",
  "application/connect+json",
  "application/grpc",
  "application/grpc+json",
  "application/grpc-web+proto",
  "application/grpc-web-text",
  "text/plain",
];

it("lets nobody reach a method of services under another form of its path", async () => {
  using shop = await openShop();
  const { name } = await shop.settled(shop.order(1));
  const attempts = disguises.flatMap((path) =>
    contentTypes.map((type) => authorizeRequest(path, type, name)),
  );

  const outcomes: string[] = [];
  for (const attempt of attempts) {
    outcomes.push(...(await wasRefused(shop, attempt)));
  }

  expect(outcomes).toEqual([]);
  expect(await shop.money(name)).toMatchObject({ authorizations: 1 });
});

it.each([
  ["POST", `/v1/payments/{id}:capture`],
  ["POST", `/v1/payments/{id}:void`],
  ["POST", `/v1/payments`],
  ["PATCH", `/v1/payments/{id}`],
  ["POST", `/v1/reservations`],
  ["GET", `/v1/reservations/{id}`],
  ["POST", `/v1/reservations/{id}:release`],
])("has no %s %s", async (method, pattern) => {
  using shop = await openShop();
  const { name } = await shop.settled(shop.order(1));
  const path = pattern.replace("{id}", name.slice("orders/".length));

  const answer = await send(shop.mesh.edge, {
    version: 1,
    method,
    path,
    headers: { "content-type": "application/json" },
    body: "{}",
  });

  expect([404, 405]).toContain(answer.status);
  expect(await shop.money(name)).toMatchObject({ captures: 1, refunds: 0 });
});

const routes = readRouteTable(
  new URL("../../gen/edge/routes.json", import.meta.url),
);
const forServices = routes.services.flatMap(({ methods }) =>
  methods.flatMap(({ access, path }) => (access === "SERVICE" ? [path] : [])),
);

it.each([
  ...forServices,
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  "/grpc.health.v1.Health/Check",
])("does not let gRPC reach %s", async (path) => {
  const { edge } = meshUnderTest();

  const answer = await send(edge, {
    version: 2,
    method: "POST",
    path,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: Buffer.alloc(5),
  });

  expect(answer.headers["grpc-status"]).toBe("12");
});

it("takes no header that could pass for one of the mesh's own", async () => {
  const { edge } = meshUnderTest();

  const answer = await send(edge, {
    version: 1,
    path: "/v1/orders",
    headers: { x_weft_claims: claims },
  });

  expect(answer.status).toBe(400);
});

function authorizeRequest(
  path: string,
  type: string,
  order: string,
): EdgeRequest {
  const request = create(AuthorizeRequestSchema, {
    paymentId: randomUUID(),
    order,
    amount: { currencyCode: "EUR", units: 10n },
    paymentToken: "tok_visa",
  });
  const isJson = type.endsWith("json");
  const message = isJson
    ? Buffer.from(toJsonString(AuthorizeRequestSchema, request))
    : toBinary(AuthorizeRequestSchema, request);
  const isFramed = type.includes("grpc") || type.includes("connect");
  const framed = Buffer.concat([
    Buffer.from([0, 0, 0, 0, message.length]),
    message,
  ]);
  const body = type.endsWith("text")
    ? framed.toString("base64")
    : isFramed
      ? framed
      : message;
  return {
    version: 2,
    method: "POST",
    path,
    headers: { ...FORGED, "content-type": type },
    body,
  };
}

/** Nothing where the edge refused; else what it answered. A stream that is reset is a refusal too. */
async function wasRefused(shop: Shop, request: EdgeRequest): Promise<string[]> {
  const answer = await send(shop.mesh.edge, request).catch(() => undefined);
  const grpcStatus = answer?.headers["grpc-status"];
  const isRefused =
    answer === undefined ||
    answer.status >= 400 ||
    (grpcStatus !== undefined && grpcStatus !== "0") ||
    // A Connect stream ends with its error, in a response of 200.
    answer.text.includes('{"error":{"code":"');
  const type = request.headers?.["content-type"];
  return isRefused ? [] : [`${request.path} ${type}: ${answer.status}`];
}
