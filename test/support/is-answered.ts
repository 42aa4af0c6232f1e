import { connect } from "node:http2";

/** What a client trusts and shows; no certificate and no key, where it has none. */
export interface ClientTls {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const DEADLINE_MS = 10_000;

/**
 * Whether a service's gRPC or Connect port answers anything at all on a connection of its own. A client of TLS 1.3 takes
 * the handshake for done before its certificate is looked at, so it has to ask for something.
 */
export function isAnswered(port: number, tls: ClientTls): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const session = connect(`https://localhost:${port}`, { ...tls });
  const late = setTimeout(
    () => reject(new Error(`${port} does not answer and does not refuse`)),
    DEADLINE_MS,
  );
  session.on("error", () => resolve(false));
  session.on("close", () => resolve(false));
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => resolve(false));
  stream.on("response", () => resolve(true));
  stream.end(Buffer.alloc(5));
  return promise.finally(() => {
    clearTimeout(late);
    session.destroy();
  });
}
