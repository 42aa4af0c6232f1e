import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectProvider } from "../../../services/payment/clients/provider-exchange.ts";

const never = new AbortController().signal;
const capture = {
  method: "POST",
  path: "/v1/payment_intents/pi_1/capture",
  form: { amount_to_capture: "100" },
  idempotencyKey: "demo/1/capture",
} as const;

describe("the connections to the provider", () => {
  it("send a form with its key, and keep the connection", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      const { method, url: path, headers, socket } = request;
      seen.push([method, path, headers["idempotency-key"], socket.remotePort]);
      request.pipe(response);
    });
    const connections = open(url);
    const echo = { ...capture, form: { "100": "" } };

    const first = connections.exchange(echo, never);

    // The form is `100=`, which is not JSON.
    await expect(first).rejects.toThrow(SyntaxError);
    await connections.exchange(echo, never).catch(() => undefined);
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toEqual(
      expect.arrayContaining(["POST", capture.path, "demo/1/capture"]),
    );
  });

  it("send again where a kept connection was closed just then", async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      if (requests === 2) request.socket.destroy();
      else response.end("{}");
    });
    const connections = open(url);
    await connections.exchange(capture, never);

    const reply = await connections.exchange(capture, never);

    expect(reply).toEqual({ status: 200, body: {} });
    expect(requests).toBe(3);
  });

  it.each([301, 429, 500])("take no word from status %i", async (status) => {
    const url = await serve((_request, response) => {
      response.writeHead(status, { location: "/elsewhere" }).end("{}");
    });

    await expect(open(url).exchange(capture, never)).rejects.toThrow(
      `status ${status}`,
    );
  });

  it("give up an answer that does not come, or does not end", async () => {
    const url = await serve((_request, response) => {
      response.write("a".repeat(2_000_000));
    });
    const connections = open(url);

    await expect(connections.exchange(capture, never)).rejects.toThrow(
      "too long",
    );
    await expect(
      connections.exchange(capture, AbortSignal.abort(new Error("late"))),
    ).rejects.toThrow();
  });
});

function open(url: string) {
  const connections = connectProvider(url);
  onTestFinished(() => connections.close());
  return connections;
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("port");
  return `http://127.0.0.1:${address.port}`;
}
