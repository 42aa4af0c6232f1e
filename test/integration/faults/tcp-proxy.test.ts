import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

/** A server that answers with what it is sent, behind a proxy, and a connection to it. */
async function setup() {
  const stack = new AsyncDisposableStack();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const proxy = stack.use(await startTcpProxy(port));
  const client = async () => {
    const socket = connect({ port: proxy.port, host: "127.0.0.1" });
    stack.defer(() => void socket.destroy());
    await once(socket, "connect");
    return listenTo(socket);
  };
  return {
    proxy,
    client,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function listenTo(socket: Socket) {
  const heard = { text: "", error: "" };
  socket.on("data", (bytes) => (heard.text += bytes.toString()));
  socket.on("error", (error) => (heard.error = String(error)));
  return { socket, heard };
}

test("a proxy without a toxic carries both ways, and passes the end on", async () => {
  await using world = await setup();
  const { socket, heard } = await world.client();

  socket.end("hello");
  await once(socket, "end");

  expect(heard.text).toBe("hello");
});

test("bytes that are late keep their order", async () => {
  await using world = await setup();
  const { socket, heard } = await world.client();
  world.proxy.poison({ delayMs: 30, jitterMs: 60 });

  const startedAt = performance.now();
  const letters = ["a", "b", "c", "d", "e", "f", "g", "h"];
  for (const letter of letters) {
    socket.write(letter);
    await new Promise(setImmediate);
  }
  await eventually("all are back", () => heard.text.length === letters.length);

  expect(heard.text).toBe("abcdefgh");
  expect(performance.now() - startedAt).toBeGreaterThan(50);
});

test("a connection whose bytes were swallowed breaks when the network heals", async () => {
  await using world = await setup();
  const spoilt = await world.client();
  world.proxy.poison({ swallows: "answers" });
  spoilt.socket.write("lost");
  await eventually("the answer is swallowed", async () => {
    // As soon as the bytes are gone, the next change of the network breaks it.
    world.proxy.poison({ swallows: "answers" });
    return spoilt.heard.error !== "";
  });

  world.proxy.poison(undefined);
  const healed = await world.client();
  healed.socket.write("heard");
  await eventually("it is heard", () => healed.heard.text === "heard");

  expect(spoilt.heard).toEqual({
    text: "",
    error: expect.stringContaining("ECONNRESET"),
  });
});

test("a reset breaks every connection", async () => {
  await using world = await setup();
  const clients = [await world.client(), await world.client()];
  await eventually("both are through", () => world.proxy.connections() === 2);

  world.proxy.reset();

  await eventually("both are broken", () =>
    clients.every(({ heard }) => heard.error.includes("ECONNRESET")),
  );
});
