import type { MeshTls } from "../../support/mesh-tls.ts";
import { median } from "../median.ts";
import type { Sink } from "../rpc/start-peer.ts";
import {
  bareEdge,
  startEdge,
  startEdgeWorld,
  wholeEdge,
} from "./edge-world.ts";
import { cpuUsPerCall, measureEdge, type EdgeResult } from "./measure-edge.ts";
import { targets } from "./targets.ts";

const warmUpMs = 3_000;
const roundMs = 2_000;
const rounds = 7;
/** Full throttle for the rate; few at a time for what the filters add to one call. */
const LOADS = { full: 64, few: 4 } as const;

/** As an edge with traffic is run: the others of its calls are counted in metrics and in the access log. */
const TRACED_SHARE = 0.1;

/** All of it, with every call traced and with some; all but tokens (neither verified nor read); and nothing but forwarding. */
const EDGES = ["whole", "sampled", "open", "bare"] as const;
type Round = Readonly<Record<(typeof EDGES)[number], EdgeResult>>;

/** The edge as it is (tokens, limits by the service and its Redis, traces, access log) against an Envoy that only forwards. */
export async function compareEnvoy(deps: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const world = await startEdgeWorld(started, deps);
  const edges = {
    whole: await startEdge(world, (at) => wholeEdge(world, at, [world.issuer])),
    sampled: await startEdge(world, (at) =>
      wholeEdge(world, at, [world.issuer], TRACED_SHARE),
    ),
    open: await startEdge(world, (at) => wholeEdge(world, at, [])),
    bare: await startEdge(world, (at) => bareEdge(world, at)),
  };
  const measured: Record<string, Round[]> = {};
  for (const [name, inFlight] of Object.entries(LOADS)) {
    for (const edge of EDGES)
      await measureEdge(edges[edge], { inFlight, ms: warmUpMs });
    const found: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const load = { inFlight, ms: roundMs };
      found.push({
        whole: await measureEdge(edges.whole, load),
        sampled: await measureEdge(edges.sampled, load),
        open: await measureEdge(edges.open, load),
        bare: await measureEdge(edges.bare, load),
      });
    }
    measured[name] = found;
  }
  if ((await deps.sink.receivedBytes()) === 0)
    throw new Error("nothing was traced");
  const passedUnasked = await edges.whole.passedUnasked();
  return {
    ...report(measured["full"] ?? [], measured["few"] ?? []),
    passedUnasked,
  };
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
    sampledPerSecond: of(full, ({ sampled }) => sampled.callsPerSecond),
    sampledRatio: of(
      full,
      ({ sampled, bare }) => sampled.callsPerSecond / bare.callsPerSecond,
    ),
    addedP50Ms: of(few, ({ whole, bare }) => whole.p50Ms - bare.p50Ms),
    addedP99Ms: of(few, ({ whole, bare }) => whole.p99Ms - bare.p99Ms),
    sampledAddedP50Ms: of(
      few,
      ({ sampled, bare }) => sampled.p50Ms - bare.p50Ms,
    ),
    sampledAddedP99Ms: of(
      few,
      ({ sampled, bare }) => sampled.p99Ms - bare.p99Ms,
    ),
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
  const cpu = Object.fromEntries(
    EDGES.map((edge) => [edge, cpuUsPerCall(full.map((round) => round[edge]))]),
  );
  console.table(figures);
  console.table(cpu);
  const what = "requests/s with every filter against a bare Envoy";
  const traced = (share: number) => `${what}, ${100 * share} % of calls traced`;
  return {
    inFlight: LOADS,
    roundMs,
    rounds,
    tracedShare: TRACED_SHARE,
    figures,
    cpuUsPerCall: cpu,
    targets: targets([
      [traced(TRACED_SHARE), figures.sampledRatio, ">=", 0.5],
      [traced(1), figures.ratio, ">=", 0.5],
    ]),
  };
}
