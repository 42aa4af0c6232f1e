import type { DescService } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { Server } from "@grpc/grpc-js";
import type { Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Logger } from "../runtime/logger.ts";
import type { TlsFiles } from "../runtime/tls-files.ts";
import { createConnectServer } from "./connect-mount.ts";
import { endStreams } from "./end-streams.ts";
import { explainConnectErrors } from "./explain-connect-error.ts";
import { serverCredentials } from "./grpc-credentials.ts";
import { mountGrpc } from "./grpc-mount.ts";
import { createHealth } from "./health.ts";
import { messageLimit } from "./limits.ts";
import { withMiddleware } from "./middleware.ts";
import { forgetOldRequests, type OnceOptions } from "./once.ts";
import { createOpenCalls, type OpenCalls } from "./open-calls.ts";
import { mountReflection } from "./reflection.ts";
import { refuseHalfDuplex } from "./refuse-half-duplex.ts";
import { createValidate } from "./validate.ts";

/** A service and what answers for it; made by {@link service}. */
export interface MountedService<Desc extends DescService = DescService> {
  readonly desc: Desc;
  readonly implementation: ServiceImpl<Desc>;
}

/** Pairs a service's contract with its implementation, so that the two fit. */
export function service<Desc extends DescService>(
  desc: Desc,
  implementation: ServiceImpl<Desc>,
): MountedService<Desc> {
  return { desc, implementation };
}

export interface ServeOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly grpcPort: number;
  readonly connectPort: number;
  readonly tls: TlsFiles;
  readonly services: readonly MountedService[];
  /**
   * Adds services of foreign contracts to the gRPC server. They have no policy and so no middleware: what it would see to,
   * who calls first of all (`peerOfCall`), they see to themselves.
   */
  readonly mountForeign?: (grpc: Server) => void;
  readonly logger: Logger;
  /** Where the names of requests and their first answers are kept, for services with methods that have a `request_id`. */
  readonly once?: OnceOptions;
  /** Knows of every privileged call; without it, the log alone does. */
  readonly audit?: AuditLog;
  /** Whether what the services need answers, asked every 2 s; health says NOT_SERVING while it does not. */
  readonly ready?: (signal: AbortSignal) => Promise<boolean>;
}

export interface RunningServer {
  readonly grpcPort: number;
  readonly connectPort: number;
  /** Says NOT_SERVING, ends streams, lets calls under way finish, closes; at `signal` whatever is left is cut. */
  drain(signal: AbortSignal): Promise<void>;
}

/**
 * Serves implementations on two ports, both with mutual TLS and behind the same middleware: gRPC by grpc-js, with health
 * and reflection, and Connect and gRPC-Web by connect-node.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const draining = new AbortController();
  const { logger, once, audit } = options;
  const deps = { logger, once, audit, validate: createValidate() };
  const forgetting = Promise.all([
    once && forgetOldRequests(once, logger, draining.signal),
    audit?.forgetOld?.(draining.signal),
  ]);
  const wrapped = options.services.map(({ desc, implementation }) => ({
    desc,
    implementation: withMiddleware(deps, desc, implementation),
  }));
  const grpc = new Server(grpcOptions);
  const openCalls = createOpenCalls();
  for (const { desc, implementation } of wrapped) {
    mountGrpc(grpc, desc, implementation, draining.signal, openCalls);
  }
  options.mountForeign?.(grpc);
  const names = wrapped.map(({ desc }) => desc.typeName);
  const health = createHealth(grpc, names, options.ready);
  mountReflection(
    grpc,
    wrapped.map(({ desc }) => desc),
  );
  const connect = createConnectServer({
    tls: options.tls,
    routes(router) {
      for (const { desc, implementation } of wrapped) {
        router.service(desc, endStreams(desc, implementation, draining.signal));
      }
    },
    gate: connectGate,
  });
  const connectPort = await listen(
    connect.server,
    options.host,
    options.connectPort,
  );
  const grpcPort = await bindGrpc(grpc, options);
  return {
    grpcPort,
    connectPort,
    async drain(signal) {
      health.stop();
      draining.abort();
      await Promise.all([
        drainGrpc(grpc, openCalls, signal),
        connect.drain(signal),
        forgetting,
      ]);
    },
  };
}

async function connectGate(context: HandlerContext): Promise<void> {
  await explainConnectErrors(context);
  refuseHalfDuplex(context);
}

const grpcOptions = {
  // channelz stays on: without it, grpc-js 1.14.7 knows no sessions and forceShutdown cuts nobody.
  "grpc.max_receive_message_length": messageLimit,
  "grpc.max_concurrent_streams": 1_000,
  // A peer that vanished without a word is noticed within 40 s.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
};

async function bindGrpc(server: Server, options: ServeOptions) {
  const bind = promisify(server.bindAsync.bind(server));
  const address = `${options.host}:${options.grpcPort}`;
  return bind(address, serverCredentials(options.tls));
}

async function listen(
  server: Http2SecureServer,
  host: string,
  port: number,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // A server that listens on a TCP port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}

/** Once our calls are done, what is left are streams that nobody ends: a health Watch, a reflection client. */
const leftoverMs = 500;

async function drainGrpc(
  server: Server,
  openCalls: OpenCalls,
  signal: AbortSignal,
): Promise<void> {
  const force = () => server.forceShutdown();
  signal.addEventListener("abort", force, { once: true });
  const closed = promisify(server.tryShutdown.bind(server))();
  await Promise.race([closed, openCalls.none()]);
  const leftover = setTimeout(force, leftoverMs);
  await closed;
  clearTimeout(leftover);
  signal.removeEventListener("abort", force);
}
