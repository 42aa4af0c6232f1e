import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toIssuer } from "../../../deploy/edge/issuer.ts";
import { renderBootstrap } from "../../../deploy/edge/render-bootstrap.ts";
import { startEnvoy } from "../../../deploy/local/components/envoy.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { absentServices } from "../../integration/edge/edge-world.ts";
import { startRateLimiter } from "../../integration/edge/rate-limiter.ts";
import type { MeshTls } from "../../support/mesh-tls.ts";
import {
  AUDIENCE,
  startTestIssuer,
  type TestIssuer,
} from "../../support/test-issuer.ts";
import { median } from "../median.ts";
import {
  pairOf,
  startClient,
  startServer,
  type Pair,
  type PairResult,
  type Sink,
} from "../rpc/start-peer.ts";
import { bareProxy } from "./bare-proxy.ts";
import { startBenchRedis } from "./bench-redis.ts";
import { shippedRules } from "./bench-rules.ts";
import { targets } from "./targets.ts";

const warmUpMs = 3_000;
const roundMs = 2_000;
const rounds = 7;
/** Full throttle for the rate; few at a time for what the filters add to one call. */
const LOADS = { full: 64, few: 4 } as const;

interface Round {
  readonly whole: PairResult;
  readonly bare: PairResult;
}

/** The edge as it is (tokens, limits by the service and its Redis, traces, access log) against an Envoy that only forwards. */
export async function compareEnvoy(deps: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const { tls, sink } = deps;
  const server = started.use(await startServer(tls, "bare grpc-js"));
  const issuer = started.use(await startTestIssuer());
  const token = await issuer.token();
  const wholePort = await startWholeEdge(started, deps, server.port, issuer);
  const barePort = await startBareEdge(started, tls, server.port);
  const pair = async (port: number): Promise<Pair> => {
    const address = `127.0.0.1:${port}`;
    const client = await startClient(tls, "bare grpc-js", { address, token });
    return pairOf(started.use(client), server);
  };
  const whole = await pair(wholePort);
  const bare = await pair(barePort);

  const measured: Record<string, Round[]> = {};
  for (const [name, inFlight] of Object.entries(LOADS)) {
    for (const each of [whole, bare])
      await each.makeLoad({ inFlight, ms: warmUpMs });
    const found: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      found.push({
        whole: await whole.makeLoad({ inFlight, ms: roundMs }),
        bare: await bare.makeLoad({ inFlight, ms: roundMs }),
      });
    }
    measured[name] = found;
  }
  if ((await sink.receivedBytes()) === 0) throw new Error("nothing was traced");
  return report(measured["full"] ?? [], measured["few"] ?? []);
}

function report(full: readonly Round[], few: readonly Round[]) {
  const of = (from: readonly Round[], pick: (round: Round) => number) =>
    Number(median(from.map(pick)).toFixed(2));
  const figures = {
    wholePerSecond: of(full, ({ whole }) => whole.callsPerSecond),
    barePerSecond: of(full, ({ bare }) => bare.callsPerSecond),
    ratio: of(
      full,
      ({ whole, bare }) => whole.callsPerSecond / bare.callsPerSecond,
    ),
    addedP50Ms: of(few, ({ whole, bare }) => whole.p50Ms - bare.p50Ms),
    addedP99Ms: of(few, ({ whole, bare }) => whole.p99Ms - bare.p99Ms),
    bareP50Ms: of(few, ({ bare }) => bare.p50Ms),
    bareP99Ms: of(few, ({ bare }) => bare.p99Ms),
  };
  console.table(figures);
  return {
    inFlight: LOADS,
    roundMs,
    rounds,
    figures,
    targets: targets([
      [
        "requests/s with every filter against a bare Envoy",
        figures.ratio,
        ">=",
        0.5,
      ],
    ]),
  };
}

async function startWholeEdge(
  started: AsyncDisposableStack,
  { tls, sink }: { tls: MeshTls; sink: Sink },
  grpcPort: number,
  issuer: TestIssuer,
): Promise<number> {
  const directory = await benchDirectory(started);
  const redis = await startBenchRedis(started);
  const limiterPort = await freePort();
  started.use(
    await startRateLimiter({
      directory,
      rules: shippedRules,
      redisUrl: redis.url,
      ca: tls.certificates.ca,
      files: tls.filesOf("ratelimit"),
      grpcPort: limiterPort,
    }),
  );
  const [edgePort, adminPort] = [await freePort(), await freePort()];
  const { ca, edgeMesh, edgePublic } = tls.certificates;
  const at = (port: number) => ({ host: "127.0.0.1", port });
  const bootstrap = renderBootstrap({
    host: "127.0.0.1",
    edgePort,
    adminPort,
    tls: {
      ca,
      meshCert: edgeMesh.cert,
      meshKey: edgeMesh.key,
      publicCert: edgePublic.cert,
      publicKey: edgePublic.key,
    },
    upstreams: {
      ...absentServices(),
      order: { grpc: at(grpcPort), connect: at(grpcPort) },
      ratelimit: { grpc: at(limiterPort), connect: at(limiterPort) },
    },
    otlp: at(Number(new URL(sink.url).port)),
    issuers: [
      toIssuer({
        name: "bench",
        issuer: issuer.url,
        jwksUrl: issuer.jwksUrl,
        audiences: [AUDIENCE],
      }),
    ],
    rateLimits: { failClosed: [] },
  });
  return start(started, { directory, edgePort, adminPort, bootstrap });
}

async function startBareEdge(
  started: AsyncDisposableStack,
  tls: MeshTls,
  grpcPort: number,
): Promise<number> {
  const directory = await benchDirectory(started);
  const [edgePort, adminPort] = [await freePort(), await freePort()];
  const bootstrap = bareProxy({
    edgePort,
    adminPort,
    upstreamPort: grpcPort,
    certificates: tls.certificates,
  });
  return start(started, { directory, edgePort, adminPort, bootstrap });
}

async function start(
  started: AsyncDisposableStack,
  envoy: {
    readonly directory: string;
    readonly edgePort: number;
    readonly adminPort: number;
    readonly bootstrap: string;
  },
): Promise<number> {
  const bootstrapFile = join(envoy.directory, "envoy.json");
  await writeFile(bootstrapFile, envoy.bootstrap);
  started.use(await startEnvoy({ ...envoy, bootstrapFile }));
  return envoy.edgePort;
}

async function benchDirectory(started: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
