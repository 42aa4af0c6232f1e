import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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
