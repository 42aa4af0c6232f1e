import { expect, it } from "vitest";
import { startCollector } from "./collector.ts";
import { startEdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { ORDER } from "./upstream.ts";

const SECRET = "s3cret";
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

it("sends spans and log records that tell no query string and no token", async () => {
  await using collector = await startCollector();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port: collector.port },
  });
  const request = {
    path: `/v1/orders?customer=${SECRET}`,
    headers: {
      traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`,
    },
  };

  const answer = await send(world, request);
  const sent = (requests: Buffer[]) =>
    Buffer.concat(requests).toString("latin1");
  await expect
    .poll(() => sent(collector.traces), { timeout: 10_000 })
    .toContain("GET /v1/orders");
  await expect
    .poll(() => sent(collector.logs), { timeout: 10_000 })
    .toContain("GET /v1/orders");

  expect(answer.status).toBe(200);
  const [, claims = "none"] = world.token.split(".");
  for (const secret of [SECRET, world.token, claims]) {
    expect(sent(collector.traces)).not.toContain(secret);
    expect(sent(collector.logs)).not.toContain(secret);
  }
  expect(sent(collector.logs)).toContain(TRACE_ID);
}, 40_000);

it("passes the trace on to the service", async () => {
  await using collector = await startCollector();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port: collector.port },
  });
  const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;

  await send(world, { path: `/v1/${ORDER}`, headers: { traceparent } });

  const passed = world.upstream().calls[0]?.get("traceparent");
  expect(passed).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
  expect(passed).not.toBe(traceparent);
}, 40_000);

it("traces none of a share of none but what its client asks to have traced", async () => {
  await using collector = await startCollector();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port: collector.port },
    bootstrap: { tracedShare: 0 },
  });
  const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;
  const asked = { "x-client-trace-id": "look-at-this" };

  await send(world, { path: `/v1/${ORDER}` });
  await send(world, { path: `/v1/${ORDER}`, headers: { traceparent } });
  await send(world, { path: "/v1/orders", headers: asked });

  const passed = world.upstream().calls.map((call) => call.get("traceparent"));
  expect(passed).toEqual([
    expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
    expect.stringMatching(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`)),
    expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
  ]);
  const sent = () => Buffer.concat(collector.traces).toString("latin1");
  await expect.poll(sent, { timeout: 10_000 }).toContain("/v1/orders");
  expect(sent()).not.toContain(`/v1/${ORDER}`);
}, 40_000);

it("traces no call whose client says that it is not traced", async () => {
  await using collector = await startCollector();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port: collector.port },
  });
  const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-00`;

  await send(world, { path: `/v1/${ORDER}`, headers: { traceparent } });

  expect(world.upstream().calls[0]?.get("traceparent")).toMatch(
    new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`),
  );
}, 40_000);

it("has half of the calls traced", async () => {
  await using collector = await startCollector();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port: collector.port },
    bootstrap: { tracedShare: 0.5 },
  });
  const calls = 200;

  for (let call = 0; call < calls; call += 1)
    await send(world, { path: `/v1/${ORDER}` });

  const traced = world
    .upstream()
    .calls.filter((call) => String(call.get("traceparent")).endsWith("-01"));
  // Fewer or more by chance: once in 10^8 runs.
  expect(traced.length).toBeGreaterThan(0.3 * calls);
  expect(traced.length).toBeLessThan(0.7 * calls);
}, 60_000);

it("serves without a collector", async () => {
  await using collector = await startCollector();
  const { port } = collector;
  await collector[Symbol.asyncDispose]();
  await using world = await startEdgeWorld({
    collector: { host: "127.0.0.1", port },
  });

  const answer = await send(world, { path: `/v1/${ORDER}` });

  expect(answer.status).toBe(200);
}, 40_000);
