import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send, type EdgeAnswer } from "../../support/edge-http.ts";

const SHOP = "https://shop.example";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld({ bootstrap: { allowedOrigins: [SHOP] } });
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const DOCUMENTS = [
  ["/docs", "gen/docs/index.html", "text/html; charset=utf-8"],
  ["/openapi.json", "gen/openapi/weft.openapi.json", "application/json"],
] as const;

it.each(DOCUMENTS)(
  "answers %s with the generated document",
  async (path, file, type) => {
    const answer = await send(world, { path });

    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(type);
    expect(answer.text).toBe(readFileSync(file, "utf8"));
  },
);

describe.each(DOCUMENTS)("%s", (path, _, type) => {
  const anonymous = { authorization: "" };

  it("is told of, without a body, to who asks for its headers", async () => {
    const answer = await send(world, { path, method: "HEAD" });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": type },
      text: "",
    });
  });

  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "takes no %s",
    async (method) => {
      const answer = await send(world, { path, method, headers: anonymous });

      expect(answer).toMatchObject({
        status: 405,
        headers: { allow: "GET, HEAD" },
      });
      expect(answer.json()).toMatchObject({
        details: [{ reason: "VERB_NOT_ALLOWED" }],
      });
    },
  );

  it.each([
    ["GET", "application/grpc"],
    ["POST", "application/grpc"],
    ["POST", "application/grpc-web+proto"],
  ])("is no method to a %s of %s", async (method, kind) => {
    const answer = await send(world, {
      path,
      method,
      headers: { ...anonymous, "content-type": kind, te: "trailers" },
      ...(method === "POST" && { body: Buffer.alloc(5) }),
    });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "grpc-status": "12" },
      text: "",
    });
    expect(String(answer.headers["grpc-message"]).length).toBeLessThan(100);
  });

  it.each([SHOP, "https://evil.example", ""])(
    "is cached by origin, for a page of '%s' as for others",
    async (origin) => {
      const plain = await send(world, { path, headers: { origin } });
      const packed = await send(world, {
        path,
        headers: { origin, "accept-encoding": "gzip" },
      });

      expect(varyOf(plain)).toContain("origin");
      expect(varyOf(packed)).toEqual(
        expect.arrayContaining(["origin", "accept-encoding"]),
      );
    },
  );

  it("can be asked for by a page that sends headers of its own", async () => {
    const answer = await send(world, {
      path,
      method: "OPTIONS",
      headers: {
        ...anonymous,
        origin: SHOP,
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
      },
    });

    expect(answer).toMatchObject({
      status: 200,
      headers: { "access-control-allow-origin": SHOP },
    });
    expect(answer.headers["access-control-allow-headers"]).toContain(
      "authorization",
    );
  });
});

function varyOf({ headers }: EdgeAnswer): string[] {
  return String(headers["vary"]).toLowerCase().split(/ *, */);
}
