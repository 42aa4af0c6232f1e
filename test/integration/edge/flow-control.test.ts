import { once } from "node:events";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { connectionsOf, envoyStat } from "./envoy-admin.ts";
import { openSession } from "./open-session.ts";
import { MORE } from "./upstream.ts";

const KIB = 1024;
const nowhere = { host: "127.0.0.1", port: 4317 };

/** What Envoy has read from one side and written to the other: the rest is what it holds. */
const ANSWER = {
  read: "cluster.order-connect.upstream_cx_rx_bytes_total",
  written: "http.edge.downstream_cx_tx_bytes_total",
  paused: "cluster.order-connect.upstream_flow_control_paused_reading_total",
} as const;
const BODY = {
  read: "http.edge.downstream_cx_rx_bytes_total",
  written: "cluster.payment-grpc.upstream_cx_tx_bytes_total",
  paused: "http.edge.downstream_flow_control_paused_reading_total",
} as const;
/** The 32 KiB, a stream's window of 64 KiB, and what was read on the way to noticing; 1 MiB and more with Envoy's own limits. */
const MOST_HELD = 256 * KIB;

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

  // Over HTTP/2 a stream's window bounds them already; over HTTP/1.1 nothing else does.
  it.each([1, 2] as const)(
    "take no answer from a service faster than its client reads it over HTTP/%d",
    async (version) => {
      const path = "/weft.order.v1.OrderService/ListOrders";
      const holds = await holdsMore(ANSWER);
      await using call = await openCall(version, path, "application/json");
      call.stream.end(JSON.stringify({ customer: MORE }));
      await once(call.stream, "response");

      // Of more than 10 MB, of which the sockets of both sides may take 4.
      expect(await holds()).toBeLessThan(MOST_HELD);
    },
  );

  it.each([1, 2] as const)(
    "take no body from a client faster than its service reads it over HTTP/%d",
    async (version) => {
      const path = "/weft.payment.v1.PaymentService/GetPayment";
      const holds = await holdsMore(BODY);
      await using call = await openCall(version, path, "application/grpc");
      call.stream.write(Buffer.alloc(4 * KIB * KIB));

      expect(await holds()).toBeLessThan(MOST_HELD);
    },
  );
});

/** A call whose answer nobody reads. */
async function openCall(version: 1 | 2, path: string, type: string) {
  const headers = {
    "content-type": type,
    authorization: `Bearer ${world.token}`,
  };
  if (version === 1) {
    const { ca, port } = world;
    const at = { host: "localhost", port, ca, agent: false };
    const stream = request({ ...at, method: "POST", path, headers });
    stream.on("error", () => undefined);
    stream.on("response", ({ socket }) => socket.pause());
    return { stream, [Symbol.asyncDispose]: async () => void stream.destroy() };
  }
  const session = await openSession(world);
  const pseudo = { ":method": "POST", ":path": path };
  const stream = session.request({ ...pseudo, ...headers });
  stream.on("error", () => undefined);
  return { stream, [Symbol.asyncDispose]: async () => session.destroy() };
}

/** How much more Envoy holds than it does now, once it has stopped to read. */
async function holdsMore(way: typeof ANSWER | typeof BODY) {
  // In this order: what moves in between makes it less, never more.
  const held = async () =>
    (await envoyStat(world, way.read)) - (await envoyStat(world, way.written));
  const [before, pausedBefore] = [
    await held(),
    await envoyStat(world, way.paused),
  ];
  return async () => {
    let read = -1;
    await eventually("Envoy reads no more", async () => {
      const last = read;
      read = await envoyStat(world, way.read);
      const paused = (await envoyStat(world, way.paused)) > pausedBefore;
      return paused && read === last;
    });
    return (await held()) - before;
  };
}
