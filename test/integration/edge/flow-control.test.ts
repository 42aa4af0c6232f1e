import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { connectionsOf, envoyStat } from "./envoy-admin.ts";
import { openSession } from "./open-session.ts";
import { MANY } from "./upstream.ts";

const KIB = 1024;
const nowhere = { host: "127.0.0.1", port: 4317 };

const RECEIVED = "cluster.order-connect.upstream_cx_rx_bytes_total";
const PAUSED =
  "cluster.order-connect.upstream_flow_control_paused_reading_total";
const FORWARDED = "cluster.payment-grpc.upstream_cx_tx_bytes_total";
const HELD_BACK = "cluster.payment-grpc.upstream_flow_control_backed_up_total";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld({
    bootstrap: { otlp: nowhere, otlpLogs: nowhere, redirectPort: 0 },
  });
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

it("lets a connection have 100 streams at once and 1 MiB in flight, and says so", async () => {
  const session = await openSession(world);

  expect(session.remoteSettings.maxConcurrentStreams).toBe(100);
  expect(session.remoteSettings.initialWindowSize).toBe(64 * KIB);
  await expect.poll(() => session.state.remoteWindowSize).toBe(KIB * KIB);
  session.destroy();
});

describe("buffers", () => {
  it("hold 32 KiB at most, of any connection to or from the edge", async () => {
    const connections = await connectionsOf(world);

    const limits = connections.map((each) => [
      each.name,
      each.per_connection_buffer_limit_bytes,
    ]);
    expect(limits).toEqual(limits.map(([name]) => [name, 32 * KIB]));
    expect(limits.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        "edge",
        "redirect",
        "order-grpc",
        "order-connect",
        "issuer-test",
        "otlp",
        "otlp-logs",
      ]),
    );
  });

  it("take no answer from a service faster than its client reads", async () => {
    const before = await envoyStat(world, RECEIVED);
    const session = await openSession(world);
    const stream = session.request({
      ":method": "POST",
      ":path": "/weft.order.v1.OrderService/ListOrders",
      "content-type": "application/json",
      authorization: `Bearer ${world.token}`,
    });
    stream.end(JSON.stringify({ customer: MANY }));
    await once(stream, "response");
    await expect
      .poll(() => envoyStat(world, PAUSED), { timeout: 10_000 })
      .toBeGreaterThan(0);

    // Of more than 2 MB.
    expect((await envoyStat(world, RECEIVED)) - before).toBeLessThan(512 * KIB);
    session.destroy();
  });

  it("take no body from a client faster than its service reads", async () => {
    const session = await openSession(world);
    const stream = session.request({
      ":method": "POST",
      ":path": "/weft.payment.v1.PaymentService/GetPayment",
      "content-type": "application/grpc",
      authorization: `Bearer ${world.token}`,
    });
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(2 * KIB * KIB));
    await expect
      .poll(() => envoyStat(world, HELD_BACK), { timeout: 10_000 })
      .toBeGreaterThan(0);

    expect(await envoyStat(world, FORWARDED)).toBeLessThan(512 * KIB);
    session.destroy();
  });
});
