import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "../../support/edge-http.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { httpManagerOf, runtimeOf } from "./envoy-admin.ts";
import { openSession } from "./open-session.ts";
import { ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const path = `/v1/${ORDER}`;
const large = (kib: number) => ({ "x-large": "x".repeat(kib * 1024) });
const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`x-${at}`, "1"]),
  );

describe.each([
  { what: "headers of 32 KiB", within: large(30), beyond: large(33) },
  // Some that every request has count too.
  { what: "100 headers", within: many(90), beyond: many(101) },
])("$what", ({ within, beyond }) => {
  it.each([1, 2] as const)(
    "are as many as a request may have over HTTP/%d",
    async (version) => {
      const answer = await send(world, { path, version, headers: within });

      expect(answer.status).toBe(200);
    },
  );

  it("are named in the refusal of more over HTTP/1.1", async () => {
    const answer = await send(world, { path, version: 1, headers: beyond });

    expect(answer.status).toBe(431);
    expect(answer.json()).toMatchObject({
      code: 8,
      details: [{ reason: "REQUEST_HEADERS_TOO_LARGE" }],
    });
  });

  it("end the stream that has more over HTTP/2, and no other", async () => {
    const session = await openSession(world);
    const headers = { authorization: `Bearer ${world.token}`, ":path": path };
    const calls = world.upstream().calls.length;
    const refused = session.request({ ...headers, ...beyond });

    await expect(once(refused, "response")).rejects.toThrow("Stream closed");

    const [response] = await once(session.request(headers), "response");
    expect(response[":status"]).toBe(200);
    expect(world.upstream().calls).toHaveLength(calls + 1);
    session.destroy();
  });
});

// What can't be told from outside within a test's time: Envoy says that it runs with it.
it("lets a stream without a route idle for 5 minutes, and gives a connection 8 requests a turn", async () => {
  const manager = await httpManagerOf(world);
  const runtime = await runtimeOf(world);

  expect(manager).toMatchObject({ stream_idle_timeout: "300s" });
  expect(runtime).toMatchObject({
    "http.max_requests_per_io_cycle": "8",
    "overload.premature_reset_total_stream_count": "500",
  });
});
