import { create, toBinary, toJson, type Registry } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import {
  createContextValues,
  encodeBinaryHeader,
  type ConnectRouter,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type { TlsFiles } from "../runtime/tls-files.ts";
import { peerKey } from "./caller.ts";
import { messageLimit } from "./limits.ts";
import { peerOfSocket } from "./peer.ts";
import { errorDomain } from "./status.ts";

export interface ConnectServer {
  readonly server: Http2SecureServer;
  /** Stops taking requests, lets those under way finish, and closes; at `signal` it closes at once. */
  drain(signal: AbortSignal): Promise<void>;
}

type NodeServerRequest = IncomingMessage | Http2ServerRequest;

export interface ConnectServerOptions {
  readonly tls: TlsFiles;
  readonly routes: (router: ConnectRouter) => void;
  /** Runs before connect-node reads a request. */
  readonly gate?: (context: HandlerContext) => Promise<void>;
  /** The types that a `google.protobuf.Any` may hold in JSON. */
  readonly registry?: Registry;
}

/** Makes the server for Connect and gRPC-Web, over HTTP/2 with mutual TLS: browsers come through the edge. */
export function createConnectServer({
  tls,
  routes,
  gate,
  registry,
}: ConnectServerOptions): ConnectServer {
  const handler = connectNodeAdapter({
    routes,
    grpc: false,
    grpcWeb: true,
    connect: true,
    ...(gate ? { requestGate: gate } : {}),
    readMaxBytes: messageLimit,
    // By default an unknown field, or an unknown name of an enum, would be dropped without a word.
    jsonOptions: {
      ignoreUnknownFields: false,
      ...(registry ? { registry } : {}),
    },
    contextValues: (request) =>
      createContextValues().set(peerKey, peerOf(request)),
    fallback: (_request, response) => {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify(unknownMethod));
    },
  });
  const server = createSecureServer(
    {
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      requestCert: true,
      rejectUnauthorized: true,
    },
    handler,
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    // A peer that resets its connection is no news; without a listener it would end the process.
    session.on("error", () => {});
  });
  const unwatch = tls.onChange?.(({ ca, cert, key }) =>
    server.setSecureContext({ ca, cert, key }),
  );
  server.once("close", () => unwatch?.());
  return { server, drain: (signal) => close(server, sessions, signal) };
}

/** Closing a session sends GOAWAY and waits for its streams, so the peer sends nothing new and loses nothing old. */
async function close(
  server: Http2SecureServer,
  sessions: ReadonlySet<ServerHttp2Session>,
  signal: AbortSignal,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) {
    session.close();
  }
  const force = () => {
    for (const session of sessions) {
      session.destroy();
    }
  };
  signal.addEventListener("abort", force, { once: true });
  await closed;
  signal.removeEventListener("abort", force);
}

function peerOf(request: NodeServerRequest): string | undefined {
  // An HTTP/2 request's own socket is a proxy made per stream; the session's is one for the whole connection.
  const socket =
    "stream" in request ? request.stream.session?.socket : request.socket;
  return socket instanceof TLSSocket ? peerOfSocket(socket) : undefined;
}

const unknownMethodInfo = create(ErrorInfoSchema, {
  reason: "METHOD_NOT_FOUND",
  domain: errorDomain,
});

const unknownMethod = {
  code: "unimplemented" satisfies Lowercase<keyof typeof Code>,
  message: "no such method",
  details: [
    {
      type: ErrorInfoSchema.typeName,
      value: encodeBinaryHeader(toBinary(ErrorInfoSchema, unknownMethodInfo)),
      debug: toJson(ErrorInfoSchema, unknownMethodInfo),
    },
  ],
};
