import { freePort } from "../../../deploy/local/ports.ts";
import { startRateLimiter } from "../../integration/edge/rate-limiter.ts";
import type { MeshTls } from "../../support/mesh-tls.ts";
import { startTestIssuer, type TestIssuer } from "../../support/test-issuer.ts";
import type { BenchChild } from "../bench-child.ts";
import {
  pairOf,
  startClient,
  startServer,
  type Pair,
  type Sink,
} from "../rpc/start-peer.ts";
import { bareProxy } from "./bare-proxy.ts";
import {
  benchDirectory,
  shippedEdge,
  startBenchEnvoy,
  type EdgePorts,
} from "./bench-envoy.ts";
import { startBenchRedis } from "./bench-redis.ts";
import { limiterRules } from "./bench-rules.ts";
import { cpuOf } from "./process-cpu.ts";

/** What stands around an Envoy that is measured: a server behind it, an issuer, the rate-limit service with its Redis. */
export interface EdgeWorld {
  readonly started: AsyncDisposableStack;
  readonly tls: MeshTls;
  readonly sink: Sink;
  readonly server: BenchChild & { readonly port: number };
  readonly issuer: TestIssuer;
  readonly limiter: Limiter;
}

interface Limiter {
  readonly port: number;
  readonly pids: { readonly ratelimit: number; readonly redis: number };
}

export async function startEdgeWorld(
  started: AsyncDisposableStack,
  { tls, sink }: Pick<EdgeWorld, "tls" | "sink">,
): Promise<EdgeWorld> {
  const server = started.use(await startServer(tls, "bare grpc-js"));
  const issuer = started.use(await startTestIssuer());
  const limiter = await startLimiter(started, tls);
  return { started, tls, sink, server, issuer, limiter };
}

async function startLimiter(
  started: AsyncDisposableStack,
  tls: MeshTls,
): Promise<Limiter> {
  const redis = await startBenchRedis(started);
  const port = await freePort();
  const limiter = started.use(
    await startRateLimiter({
      directory: await benchDirectory(started),
      rules: limiterRules,
      redisUrl: redis.url,
      ca: tls.certificates.ca,
      files: tls.filesOf("ratelimit"),
      grpcPort: port,
    }),
  );
  return { port, pids: { ratelimit: limiter.pid, redis: pidOf(redis) } };
}

/** The edge as it is. Without issuers it is open to everybody; every call is traced where no share is given. */
export function wholeEdge(
  { tls, sink, server, limiter }: EdgeWorld,
  ports: EdgePorts,
  issuers: readonly TestIssuer[],
  tracedShare?: number,
): string {
  return shippedEdge({
    ...ports,
    tls,
    services: { order: server, ratelimit: limiter },
    issuers,
    otlp: { host: "127.0.0.1", port: Number(new URL(sink.url).port) },
    ...(tracedShare === undefined ? {} : { tracedShare }),
    rateLimits: { failClosed: [] },
  });
}

/** An Envoy that forwards to the same server and does nothing else. */
export function bareEdge({ tls, server }: EdgeWorld, ports: EdgePorts): string {
  return bareProxy({
    ...ports,
    upstreamPort: server.port,
    certificates: tls.certificates,
  });
}

export interface MeasuredEdge extends Pair {
  /** What the processes between client and server have taken so far, in microseconds. */
  cpu(): Promise<Readonly<Record<string, number>>>;
  /** Calls that passed because the rate-limit service had not answered. */
  passedUnasked(): Promise<number>;
}

/** Starts an Envoy with a client of its own, which has a token. */
export async function startEdge(
  world: EdgeWorld,
  bootstrapFor: (ports: EdgePorts) => string,
): Promise<MeasuredEdge> {
  const { started, tls, server } = world;
  const envoy = await startBenchEnvoy(started, bootstrapFor);
  const client = await startClient(tls, "bare grpc-js", {
    address: `127.0.0.1:${envoy.edgePort}`,
    token: await world.issuer.token(),
  });
  const pids = { envoy: pidOf(envoy), ...world.limiter.pids };
  return {
    ...pairOf(started.use(client), server),
    cpu: () => cpuOf(pids),
    passedUnasked: () => passedUnasked(envoy.adminPort),
  };
}

async function passedUnasked(adminPort: number): Promise<number> {
  const stats = await fetch(
    `http://127.0.0.1:${adminPort}/stats?filter=failure_mode_allowed`,
  );
  const lines = (await stats.text()).split("\n").filter(Boolean);
  return lines.reduce((all, line) => all + Number(line.split(": ")[1]), 0);
}

function pidOf({ pid }: { readonly pid: number | undefined }): number {
  if (pid === undefined) throw new Error("it is no process of ours");
  return pid;
}
