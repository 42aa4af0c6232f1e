import { expect, it } from "vitest";
import { send } from "../support/edge-http.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

const ORIGIN = "http://localhost:5173";
const PATHS = ["/weft.order.v1.OrderService/GetOrder", "/v1/orders"];

it.each(PATHS)(
  "lets a page on this machine ask before it calls %s",
  async (path) => {
    const { edge } = meshUnderTest();

    const answer = await send(edge, {
      version: 2,
      method: "OPTIONS",
      path,
      headers: {
        origin: ORIGIN,
        authorization: "",
        "access-control-request-method": "POST",
        "access-control-request-headers":
          "content-type,connect-protocol-version,connect-timeout-ms,x-grpc-web,x-user-agent,grpc-timeout,authorization",
      },
    });

    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe(ORIGIN);
    expect(list(answer.headers["access-control-allow-methods"])).toEqual(
      expect.arrayContaining(["GET", "POST"]),
    );
    expect(list(answer.headers["access-control-allow-headers"])).toEqual(
      expect.arrayContaining([
        "content-type",
        "connect-protocol-version",
        "connect-timeout-ms",
        "x-grpc-web",
        "x-user-agent",
        "grpc-timeout",
        "authorization",
      ]),
    );
  },
);

it.each(PATHS)(
  "tells a page of another site nothing about %s",
  async (path) => {
    const { edge } = meshUnderTest();
    const headers = {
      origin: "https://localhost.example.com",
      "access-control-request-method": "POST",
    };

    const answers = await Promise.all([
      send(edge, { version: 2, method: "OPTIONS", path, headers }),
      send(edge, { version: 2, path, headers }),
    ]);

    for (const answer of answers) {
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  },
);

it("lets a page read the headers that errors and limits come in", async () => {
  const { edge } = meshUnderTest();

  const answer = await send(edge, {
    version: 2,
    method: "POST",
    path: "/weft.order.v1.OrderService/GetOrder",
    headers: { origin: ORIGIN, "content-type": "application/grpc-web+proto" },
    body: Buffer.alloc(5),
  });

  expect(answer.headers["access-control-allow-origin"]).toBe(ORIGIN);
  expect(list(answer.headers["access-control-expose-headers"])).toEqual(
    expect.arrayContaining([
      "grpc-status",
      "grpc-message",
      "grpc-status-details-bin",
      "ratelimit",
      "ratelimit-policy",
      "retry-after",
    ]),
  );
});

it.each([1, 2] as const)(
  "answers a probe of /healthz over HTTP/%s",
  async (version) => {
    const { edge } = meshUnderTest();

    const answer = await send(edge, { version, path: "/healthz" });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json" },
    });
    expect(answer.json()).toEqual({ status: "SERVING" });
  },
);

function list(header: string | readonly string[] | undefined): string[] {
  return String(header).split(/,\s*/);
}
