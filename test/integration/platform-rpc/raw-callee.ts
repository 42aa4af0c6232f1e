import { once } from "node:events";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import {
  createMeshTransport,
  type MeshTransport,
} from "../../../services/platform/rpc/mesh-transport.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/** A callee that answers HTTP/2 streams by hand, and the transport of a service that calls it. */
export interface RawCallee extends AsyncDisposable {
  readonly transport: MeshTransport;
  /** How many streams it was asked for. */
  readonly calls: () => number;
}

export async function setupRawCallee(
  callee: string,
  answer: (stream: ServerHttp2Stream, call: number) => void,
): Promise<RawCallee> {
  await using parts = new AsyncDisposableStack();
  const tls = parts.use(await createMeshTls([callee, "payment"]));
  const server = createSecureServer({
    ...tls.of(callee),
    requestCert: true,
    rejectUnauthorized: true,
  });
  let calls = 0;
  const sessions = new AsyncDisposableStack();
  server.on("session", (session) => sessions.defer(() => session.destroy()));
  server.on("stream", (stream: ServerHttp2Stream) => {
    calls += 1;
    // Node tells the server of a reset that it has sent itself.
    stream.on("error", () => undefined);
    answer(stream, calls);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  parts.defer(() => void server.close());
  parts.use(sessions);
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const transport = createMeshTransport({
    address: `127.0.0.1:${port}`,
    callee,
    tls: tls.of("payment"),
    logger: silentLogger,
  });
  parts.defer(() => transport.close());
  const owned = parts.move();
  return {
    transport,
    calls: () => calls,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
