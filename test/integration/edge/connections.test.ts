import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { networkInterfaces } from "node:os";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "../../support/edge-http.ts";
import { socketEnd } from "../../support/socket-end.ts";
import {
  absentServices,
  startEdgeWorld,
  type EdgeWorld,
} from "./edge-world.ts";
import { openSession } from "./open-session.ts";
import { ORDER } from "./upstream.ts";

let world: EdgeWorld;
beforeAll(async () => {
  world = await startEdgeWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

it("closes a connection that opens streams only to reset them", async () => {
  const session = await openSession(world);
  // Whether it is an error of the session or not; node:events' `once` throws for one.
  const closed = new Promise((resolve) => session.once("close", resolve));

  while (!session.destroyed && !session.closed) {
    for (let count = 0; count < 50 && !session.closed; count += 1) {
      const stream = session.request({ ":path": "/v1/orders" });
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await closed;

  const { status } = await send(world, { path: `/v1/${ORDER}` });
  expect(status).toBe(200);
});

it("keeps its admin port to this machine", async () => {
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4");

  const local = await fetch(`http://127.0.0.1:${world.adminPort}/ready`);

  expect(local.ok).toBe(true);
  for (const { address } of addresses) {
    await expect(
      fetch(`http://${address}:${world.adminPort}/ready`),
    ).rejects.toThrow();
  }
});

it("waits 10 s for a client that connects and says nothing, begins and goes silent, or keeps a body back", async () => {
  const silent = connectTcp(world.port, "127.0.0.1");
  const slow = await openTls(["http/1.1"]);
  slow.write("GET /v1/orders HTTP/1.1\r\nhost: localhost\r\nx-slow: ");
  const session = await openSession(world);
  const bodiless = session.request({
    ":method": "POST",
    ":path": "/v1/nothing",
    "content-length": 2,
  });
  bodiless.resume().on("error", () => undefined);

  await Promise.all([
    socketEnd(silent),
    socketEnd(slow),
    once(bodiless, "close"),
  ]);
  session.destroy();
});

it("offers HTTP/2 first, and nothing older than TLS 1.2", async () => {
  const socket = await openTls(["http/1.1", "h2"]);

  expect(socket.alpnProtocol).toBe("h2");
  socket.destroy();
  const old = connectTls(world.port, "127.0.0.1", {
    ca: world.ca,
    servername: "localhost",
    minVersion: "TLSv1.1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  await expect(once(old, "secureConnect")).rejects.toThrow();
});

it("names neither Envoy nor what it thinks of the service", async () => {
  const { headers } = await send(world, { path: `/v1/${ORDER}` });

  expect(headers["server"]).toBe("weft");
  const names = Object.keys(headers);
  expect(names.filter((name) => name.startsWith("x-envoy"))).toEqual([]);
});

it("believes the connection, not a header, about where a client is", async () => {
  await send(world, {
    path: `/v1/${ORDER}`,
    headers: {
      "x-forwarded-for": "10.1.2.3",
      "x-forwarded-proto": "http",
      "x-envoy-external-address": "10.1.2.3",
    },
  });

  const call = world.upstream().calls.at(-1);
  // What the client said, and what the edge saw.
  expect(call?.get("x-forwarded-for")).toMatch(
    /^10\.1\.2\.3,\s*(?!10\.)[\d.]+$/,
  );
  expect(call?.get("x-forwarded-proto")).toBe("https");
  expect(call?.get("x-envoy-external-address")).not.toBe("10.1.2.3");
});

it("counts a client as one, wherever it claims to come from", async () => {
  await using small = await startEdgeWorld({
    flood: { perSecond: 1_000, perAddress: 10 },
  });
  const session = await openSession(small);

  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, last) => {
      const stream = session.request({
        ":path": "/nowhere",
        "x-forwarded-for": `10.1.2.${last}`,
      });
      const [headers] = await once(stream.resume(), "response");
      return headers[":status"];
    }),
  );

  expect(statuses).toContain(429);
  session.destroy();
});

describe("a connection", () => {
  it("is let go when it has idled for its time", async () => {
    await using brief = await startEdgeWorld({
      bootstrap: { times: { idle: 1 } },
    });
    const session = await openSession(brief);

    await once(session, "close");
  });

  it("is let go when it is old, and finishes the call that is under way", async () => {
    await using brief = await startEdgeWorld({
      bootstrap: { times: { most: 1 } },
    });
    // Asked and listened for before it is there: it may be old by then.
    const session = connectHttp2(brief.url, { ca: brief.ca });
    const old = once(session, "goaway");
    const stream = session.request({
      ":path": "/v1/orders:watch",
      authorization: `Bearer ${brief.token}`,
    });

    let text = "";
    stream.setEncoding("utf8").on("data", (chunk) => (text += chunk));

    await old;
    const before = text.length;

    await expect.poll(() => text.slice(before)).toContain("heartbeat");
    session.destroy();
  });
});

it("starts while the name of a service is not known, and answers for the others", async () => {
  const lost = { host: "nowhere.invalid", port: 1 };
  await using other = await startEdgeWorld({
    bootstrap: {
      upstreams: { ...absentServices(), sort: { grpc: lost, connect: lost } },
    },
  });

  expect((await send(other, { path: "/v1/sortJobs" })).status).toBe(503);
  expect((await send(other, { path: "/healthz" })).status).toBe(200);
});

async function openTls(ALPNProtocols: string[]): Promise<TLSSocket> {
  const socket = connectTls(world.port, "127.0.0.1", {
    ca: world.ca,
    servername: "localhost",
    ALPNProtocols,
  });
  await once(socket, "secureConnect");
  return socket;
}
