import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
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
import type { Load } from "../rpc/load.ts";
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
const rounds = 5;
/** Full throttle for the rate; few at a time for what the filters add to one call. */
const LOADS = { full: 64, few: 4 } as const;

/** All of it, all but tokens (neither verified nor read), and nothing but forwarding. */
const EDGES = ["whole", "open", "bare"] as const;
type Edge = (typeof EDGES)[number];
/** A result, and the CPU that each process behind the client and before the server took for a call, in microseconds. */
type Measured = PairResult & {
  readonly tookUs: Readonly<Record<string, number>>;
};
type Round = Readonly<Record<Edge, Measured>>;

/** The edge as it is (tokens, limits by the service and its Redis, traces, access log) against an Envoy that only forwards. */
export async function compareEnvoy(deps: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const { tls, sink } = deps;
  const server = started.use(await startServer(tls, "bare grpc-js"));
  const issuer = started.use(await startTestIssuer());
  const token = await issuer.token();
  const limiter = await startLimiter(started, tls);
  const around = { ...deps, started, grpcPort: server.port, limiter };
  const edges = {
    whole: await startWholeEdge(around, [issuer]),
    open: await startWholeEdge(around, []),
    bare: await startBareEdge(started, tls, server.port),
  };
  const pairs = new Map<Edge, Pair>();
  for (const edge of EDGES) {
    const address = `127.0.0.1:${edges[edge].port}`;
    const client = await startClient(tls, "bare grpc-js", { address, token });
    pairs.set(edge, pairOf(started.use(client), server));
  }
  const measure = async (edge: Edge, load: Load): Promise<Measured> => {
    const pids = { envoy: edges[edge].pid, ...limiter.pids };
    const before = await cpuOf(pids);
    const pair = pairs.get(edge);
    if (pair === undefined) throw new Error(`no client of ${edge}`);
    const result = await pair.makeLoad(load);
    const after = await cpuOf(pids);
    const tookUs = Object.fromEntries(
      Object.entries(after).map(([name, us]) => [
        name,
        (us - (before[name] ?? 0)) / result.calls,
      ]),
    );
    return { ...result, tookUs };
  };

  const measured: Record<string, Round[]> = {};
  for (const [name, inFlight] of Object.entries(LOADS)) {
    for (const edge of EDGES) await measure(edge, { inFlight, ms: warmUpMs });
    const found: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const load = { inFlight, ms: roundMs };
      found.push({
        whole: await measure("whole", load),
        open: await measure("open", load),
        bare: await measure("bare", load),
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
    withoutTokensPerSecond: of(full, ({ open }) => open.callsPerSecond),
    tokensEnvoyCpuUs: of(
      full,
      ({ whole, open }) =>
        (whole.tookUs["envoy"] ?? NaN) - (open.tookUs["envoy"] ?? NaN),
    ),
    tokensP50Ms: of(few, ({ whole, open }) => whole.p50Ms - open.p50Ms),
  };
  const cpuUsPerCall = Object.fromEntries(
    EDGES.map((edge) => [
      edge,
      {
        client: of(
          full,
          (r) => r[edge].cpuUsPerCall - r[edge].serverCpuUsPerCall,
        ),
        server: of(full, (r) => r[edge].serverCpuUsPerCall),
        envoy: of(full, (r) => r[edge].tookUs["envoy"] ?? NaN),
        ratelimit: of(full, (r) => r[edge].tookUs["ratelimit"] ?? NaN),
        redis: of(full, (r) => r[edge].tookUs["redis"] ?? NaN),
      },
    ]),
  );
  console.table(figures);
  console.table(cpuUsPerCall);
  return {
    inFlight: LOADS,
    roundMs,
    rounds,
    figures,
    cpuUsPerCall,
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

interface Limiter {
  readonly port: number;
  readonly pids: { readonly ratelimit: number; readonly redis: number };
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
      rules: shippedRules,
      redisUrl: redis.url,
      ca: tls.certificates.ca,
      files: tls.filesOf("ratelimit"),
      grpcPort: port,
    }),
  );
  return {
    port,
    pids: { ratelimit: limiter.pid, redis: pidOf(redis) },
  };
}

/** Without issuers it is open to everybody. */
async function startWholeEdge(
  around: {
    readonly started: AsyncDisposableStack;
    readonly tls: MeshTls;
    readonly sink: Sink;
    readonly grpcPort: number;
    readonly limiter: Limiter;
  },
  issuers: readonly TestIssuer[],
): Promise<StartedEdge> {
  const { started, tls, sink, grpcPort, limiter } = around;
  const directory = await benchDirectory(started);
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
      ratelimit: { grpc: at(limiter.port), connect: at(limiter.port) },
    },
    otlp: at(Number(new URL(sink.url).port)),
    issuers: issuers.map((issuer) =>
      toIssuer({
        name: "bench",
        issuer: issuer.url,
        jwksUrl: issuer.jwksUrl,
        audiences: [AUDIENCE],
      }),
    ),
    open: issuers.length === 0,
    rateLimits: { failClosed: [] },
  });
  return start(started, { directory, edgePort, adminPort, bootstrap });
}

async function startBareEdge(
  started: AsyncDisposableStack,
  tls: MeshTls,
  grpcPort: number,
): Promise<StartedEdge> {
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
): Promise<StartedEdge> {
  const bootstrapFile = join(envoy.directory, "envoy.json");
  await writeFile(bootstrapFile, envoy.bootstrap);
  const process = started.use(await startEnvoy({ ...envoy, bootstrapFile }));
  return { port: envoy.edgePort, pid: pidOf(process) };
}

interface StartedEdge {
  readonly port: number;
  readonly pid: number;
}

function pidOf({ pid }: { readonly pid: number | undefined }): number {
  if (pid === undefined) throw new Error("it is no process of ours");
  return pid;
}

/** What each process has taken so far, in microseconds: Linux counts in hundredths of a second. */
async function cpuOf(
  pids: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const used: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [, fields = ""] = stat.split(") ");
    const [user, system] = fields.split(" ").slice(11, 13);
    used[name] = (Number(user) + Number(system)) * 10_000;
  }
  return used;
}

async function benchDirectory(started: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
