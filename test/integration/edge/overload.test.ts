import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { expect, it, describe, beforeAll, afterAll } from "vitest";
import { freePort } from "../../../deploy/local/ports.ts";
import { send } from "../../support/edge-http.ts";
import { socketEnd } from "../../support/socket-end.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { envoyStat } from "./envoy-admin.ts";
import { openSession } from "./open-session.ts";
import { ORDER } from "./upstream.ts";

const ACTIONS = "overload.envoy.overload_actions";
/** Envoy alone takes some 20 MB. */
const TOO_LITTLE = 1024 * 1024;

describe("an edge whose heap is full", { concurrent: true }, () => {
  let full: EdgeWorld;
  beforeAll(async () => {
    full = await startEdgeWorld({
      bootstrap: { limits: { maxHeapBytes: TOO_LITTLE } },
    });
  }, 60_000);
  afterAll(() => full?.[Symbol.asyncDispose]());

  it("refuses work, in the one shape of errors", async () => {
    const ask = () => send(full, { path: `/v1/${ORDER}`, version: 1 });
    await expect
      .poll(async () => (await ask()).status, { timeout: 10_000 })
      .toBe(503);

    expect((await ask()).json()).toMatchObject({
      code: 14,
      details: expect.arrayContaining([
        expect.objectContaining({ reason: "SERVICE_UNAVAILABLE" }),
      ]),
    });
  });

  it("gives memory back to the machine", async () => {
    const shrinks = () =>
      envoyStat(full, `${ACTIONS}.shrink_heap.shrink_count`);

    await expect.poll(shrinks, { timeout: 25_000 }).toBeGreaterThan(0);
  });

  it("lets go what idles after 2 s, which may idle for an hour else", async () => {
    const reduced = () =>
      envoyStat(full, `${ACTIONS}.reduce_timeouts.scale_percent`);
    await expect.poll(reduced, { timeout: 10_000 }).toBe(100);
    const session = connectHttp2(full.url, { ca: full.ca });
    await once(session, "remoteSettings");

    await once(session, "close");
  });
});

it("refuses nothing and shortens nothing below 85 % of its heap", async () => {
  await using roomy = await startEdgeWorld();
  await expect
    .poll(() =>
      envoyStat(roomy, "overload.envoy.resource_monitors.fixed_heap.pressure"),
    )
    .toBeGreaterThan(0);

  const actions = ["stop_accepting_requests", "shrink_heap", "reduce_timeouts"];
  const percents = actions.map((action) =>
    envoyStat(roomy, `${ACTIONS}.${action}.scale_percent`),
  );
  expect(await Promise.all(percents)).toEqual([0, 0, 0]);
});

const overflow = ({ port, adminPort }: EdgeWorld, counter: string) =>
  envoyStat({ adminPort }, `listener.127.0.0.1_${port}.${counter}`);

// Each by itself: the other number is far away.
it.each([
  {
    where: "on the listener of the edge",
    limits: { maxEdgeConnections: 3 },
    counter: "downstream_cx_overflow",
  },
  {
    where: "in all",
    limits: { maxConnections: 3 },
    counter: "downstream_global_cx_overflow",
  },
])(
  "takes as many connections as it is told $where, and no more",
  async ({ limits, counter }) => {
    await using small = await startEdgeWorld({ bootstrap: { limits } });
    const sessions = await Promise.all(
      Array.from({ length: 3 }, () => openSession(small)),
    );
    expect(await overflow(small, counter)).toBe(0);

    const fourth = connectTcp(small.port, "127.0.0.1");

    await socketEnd(fourth);
    expect(await overflow(small, counter)).toBe(1);
    sessions.forEach((session) => session.destroy());
  },
);

it("counts connections to all of its listeners together", async () => {
  const redirectPort = await freePort();
  await using small = await startEdgeWorld({
    bootstrap: { redirectPort, limits: { maxConnections: 3 } },
  });
  const plain = [1, 2].map(() => connectTcp(redirectPort, "127.0.0.1"));
  await Promise.all(plain.map((socket) => once(socket, "connect")));
  const session = await openSession(small);

  const fourth = connectTcp(small.port, "127.0.0.1");

  await socketEnd(fourth);
  expect(await overflow(small, "downstream_global_cx_overflow")).toBe(1);
  session.destroy();
  plain.forEach((socket) => socket.destroy());
});
