import { once } from "node:events";
import {
  createServer,
  request,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Transform } from "node:stream";

/** What goes wrong with an exchange; undefined where it goes through as it is. */
export type Fault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
    }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  /** So many bytes of the body a second. */
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /** The body waits. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** The connection breaks after so many bytes of the request's body. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** So many bytes of the request's body a second. */
  | { readonly kind: "slow-upload"; readonly bytesPerSecond: number }
  /** The answer has another ETag. */
  | { readonly kind: "etag"; readonly etag: string };

export interface FaultProxy extends AsyncDisposable {
  /** `host:port` */
  readonly host: string;
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  /** Asked for each exchange. */
  fault: (request: IncomingMessage, count: number) => Fault | undefined;
  /** Requests that came so far. */
  readonly count: () => number;
}

/**
 * Stands before an HTTP server and spoils what it is told to. The server sees its own host, so that signatures for it stay
 * good; or the proxy's, where they are made for that.
 */
export async function startFaultProxy(
  upstream: string,
  { keepsHost = false }: { readonly keepsHost?: boolean } = {},
): Promise<FaultProxy> {
  const target = new URL(upstream);
  let count = 0;
  const server = createServer((incoming, outgoing) => {
    count += 1;
    const fault = proxy.fault(incoming, count);
    if (fault?.kind === "status") {
      incoming.resume();
      outgoing.writeHead(fault.status).end(fault.body ?? "a fault");
      return;
    }
    const host = keepsHost ? incoming.headers.host : target.host;
    forward({ target, host: host ?? target.host }, incoming, outgoing, fault);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const proxy: FaultProxy = {
    host,
    through(url) {
      const changed = new URL(url);
      changed.host = host;
      return changed.href;
    },
    fault: () => undefined,
    count: () => count,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return proxy;
}

function forward(
  { target, host }: { readonly target: URL; readonly host: string },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: Exclude<Fault, { kind: "status" }> | undefined,
): void {
  const sent = request(
    {
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url,
      headers: { ...incoming.headers, host },
    },
    (answer) => {
      const headers = { ...answer.headers };
      if (fault?.kind === "etag") headers.etag = fault.etag;
      outgoing.writeHead(answer.statusCode ?? 502, headers);
      const body = bodyOf(answer, fault);
      if (fault?.kind === "reset") {
        let passed = 0;
        answer.on("data", (bytes: Buffer) => {
          passed += bytes.length;
          if (passed > fault.afterBytes) outgoing.destroy();
        });
      }
      // A client that goes away in the middle ends the answer of the server, too.
      body.on("error", () => outgoing.destroy());
      body.pipe(outgoing);
    },
  );
  sent.on("error", () => outgoing.destroy());
  incoming.on("error", () => sent.destroy());
  incoming.on("close", () => {
    if (!incoming.complete) sent.destroy();
  });
  outgoing.on("close", () => sent.destroy());
  if (fault?.kind === "cut") {
    let passed = 0;
    incoming.on("data", (bytes: Buffer) => {
      passed += bytes.length;
      if (passed > fault.afterBytes) incoming.destroy();
    });
  }
  if (fault?.kind === "slow-upload") {
    incoming.pipe(slowDown(fault.bytesPerSecond)).pipe(sent);
  } else {
    incoming.pipe(sent);
  }
}

function bodyOf(
  answer: IncomingMessage,
  fault: Fault | undefined,
): NodeJS.ReadableStream {
  switch (fault?.kind) {
    case "slow":
      return answer.pipe(slowDown(fault.bytesPerSecond));
    case "hold":
      return Readable.from(held(answer, fault.until));
    default:
      return answer;
  }
}

async function* held(
  answer: IncomingMessage,
  until: Promise<void>,
): AsyncGenerator<Buffer> {
  await until;
  // A body's chunks are buffers.
  for await (const bytes of answer) yield bytes as Buffer;
}

function slowDown(bytesPerSecond: number): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      setTimeout(done, (bytes.length / bytesPerSecond) * 1000, null, bytes);
    },
  });
}
