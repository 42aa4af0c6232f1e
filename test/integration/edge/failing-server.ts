import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import type { EdgeWorld } from "./edge-world.ts";

export interface FailingServer extends AsyncDisposable {
  /** How many calls arrived whole. */
  readonly calls: () => number;
}

/** An order service that takes calls, and fails each in the same way. `call` counts from 1. */
export async function startFailingServer(
  world: EdgeWorld,
  fail: (stream: ServerHttp2Stream, call: number) => void,
): Promise<FailingServer> {
  const { ca, services } = await ensureCertificates(world.tlsFolder, ["order"]);
  const files = services["order"];
  if (files === undefined) throw new Error("no certificate of order");
  const identity = {
    ca: readFileSync(ca),
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
    requestCert: true,
  };
  let calls = 0;
  const events = new EventEmitter().setMaxListeners(0);
  const servers = [world.orderPort, world.orderConnectPort].map((port) => {
    const server = createSecureServer(identity);
    server.on("session", (session) => {
      session.on("error", () => undefined);
      events.once("stop", () => session.destroy());
    });
    server.on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => undefined);
      stream.on("end", () => {
        calls += 1;
        fail(stream, calls);
      });
      stream.resume();
    });
    return server.listen(port, "127.0.0.1");
  });
  await Promise.all(servers.map((server) => once(server, "listening")));
  return {
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close();
      events.emit("stop");
    },
  };
}
