import type { MeshTls } from "../../support/mesh-tls.ts";
import { median } from "../median.ts";
import type { Sink } from "../rpc/start-peer.ts";
import type { EdgePorts } from "./bench-envoy.ts";
import { EDGE_PARTS, leaveOut } from "./edge-parts.ts";
import {
  bareEdge,
  startEdge,
  startEdgeWorld,
  wholeEdge,
  type EdgeWorld,
} from "./edge-world.ts";
import { cpuUsPerCall, measureEdge, type EdgeResult } from "./measure-edge.ts";

const inFlight = 64;
const warmUpMs = 1_500;
// Many and short: two edges are compared within seconds of each other, whatever else the machine does. 150 s altogether.
const roundMs = 300;
const rounds = 30;

/** What each part of the edge costs: the edge as it is beside one that lacks the part, in turn. */
export async function compareParts(deps: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const world = await startEdgeWorld(started, deps);
  const edges = [];
  for (const [name, bootstrapFor] of bootstraps(world)) {
    const edge = await startEdge(world, bootstrapFor);
    await measureEdge(edge, { inFlight, ms: warmUpMs });
    edges.push({ name, edge, found: [] as EdgeResult[] });
  }
  for (let round = 0; round < rounds; round += 1) {
    // Whoever is measured first after a pause is not always the same.
    for (const { edge, found } of round % 2 ? edges.toReversed() : edges)
      found.push(await measureEdge(edge, { inFlight, ms: roundMs }));
  }
  const whole = edges[0]?.found ?? [];
  const table = Object.fromEntries(
    edges.map(({ name, found }) => [name, rowOf(found, whole)]),
  );
  console.table(table);
  return { inFlight, roundMs, rounds, cpuUsPerCall: table, targets: [] };
}

function bootstraps(
  world: EdgeWorld,
): [name: string, bootstrapFor: (at: EdgePorts) => string][] {
  const whole = (at: EdgePorts) => wholeEdge(world, at, [world.issuer]);
  return [
    ["every part", whole],
    ...Object.entries(EDGE_PARTS).map(
      ([name, part]): [string, (at: EdgePorts) => string] => [
        `without ${name}`,
        (at) => leaveOut(part, whole(at)),
      ],
    ),
    ["bare", (at) => bareEdge(world, at)],
  ];
}

function rowOf(found: readonly EdgeResult[], whole: readonly EdgeResult[]) {
  const cpu = cpuUsPerCall(found);
  const sum = Object.values(cpu).reduce((all, us) => all + us, 0);
  const rate = (of: readonly EdgeResult[], round: number) =>
    of[round]?.callsPerSecond ?? NaN;
  return {
    perSecond: Math.round(median(found.map((_, at) => rate(found, at)))),
    byWhole: Number(
      median(found.map((_, at) => rate(found, at) / rate(whole, at))).toFixed(
        3,
      ),
    ),
    ...cpu,
    sum: Math.round(sum),
  };
}
