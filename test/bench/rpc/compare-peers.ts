import type { MeshTls } from "../../support/mesh-tls.ts";
import { median } from "../median.ts";
import { peers, type PeerName } from "./peer.ts";
import {
  pairOf,
  startClient,
  startServer,
  type Pair,
  type PairResult,
  type Sink,
} from "./start-peer.ts";

const inFlight = 64;
const warmUpMs = 3_000;
const roundMs = 3_000;
const rounds = 7;

/** All peers at once, measured in turn, so that a slow minute of the machine falls on each. */
export async function comparePeers(deps: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const pairs = new Map<PeerName, Pair>();
  // `peers` has no other keys.
  for (const peer of Object.keys(peers) as PeerName[]) {
    pairs.set(peer, await startPair(deps, started, peer));
  }
  for (const pair of pairs.values()) {
    await pair.makeLoad({ inFlight, ms: warmUpMs });
  }
  const measured = new Map<PeerName, PairResult[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [peer, pair] of pairs) {
      const result = await pair.makeLoad({ inFlight, ms: roundMs });
      measured.set(peer, [...(measured.get(peer) ?? []), result]);
    }
  }
  const spanBytes = await deps.sink.receivedBytes();
  if (spanBytes === 0) throw new Error("no telemetry reached the sink");
  return report(measured);
}

async function startPair(
  { tls, sink }: { tls: MeshTls; sink: Sink },
  started: AsyncDisposableStack,
  peer: PeerName,
): Promise<Pair> {
  const telemetry = peer === "platform" ? { telemetry: sink.url } : {};
  const server = started.use(await startServer(tls, peer, telemetry));
  const address = `127.0.0.1:${server.port}`;
  const client = started.use(
    await startClient(tls, peer, { address, ...telemetry }),
  );
  return pairOf(client, server);
}

function report(measured: ReadonlyMap<PeerName, readonly PairResult[]>) {
  const medians = Object.fromEntries(
    [...measured].map(([peer, results]) => [peer, mediansOf(results)]),
  );
  console.table(medians);
  const of = (peer: PeerName) => measured.get(peer) ?? [];
  const ratioTo = (peer: PeerName) =>
    median(
      paired(
        of("platform"),
        of(peer),
        (a, b) => a.callsPerSecond / b.callsPerSecond,
      ),
    );
  const addedCpuUs = median(
    paired(
      of("platform"),
      of("bare grpc-js"),
      (a, b) => a.cpuUsPerCall - b.cpuUsPerCall,
    ),
  );
  const targets = [
    target("calls/s against bare grpc-js", ratioTo("bare grpc-js"), ">=", 0.6),
    target("CPU us a call over bare grpc-js", addedCpuUs, "<=", 60),
    target(
      "calls/s against connect-node gRPC",
      ratioTo("connect-node gRPC"),
      ">=",
      2,
    ),
  ];
  console.table(targets);
  return { inFlight, roundMs, rounds, medians, targets };
}

function paired(
  first: readonly PairResult[],
  second: readonly PairResult[],
  compare: (a: PairResult, b: PairResult) => number,
): number[] {
  return first.flatMap((a, round) => {
    const b = second[round];
    return b ? [compare(a, b)] : [];
  });
}

function mediansOf(results: readonly PairResult[]) {
  const of = (pick: (result: PairResult) => number, digits: number) =>
    Number(median(results.map(pick)).toFixed(digits));
  return {
    callsPerSecond: of((result) => result.callsPerSecond, 0),
    cpuUsPerCall: of((result) => result.cpuUsPerCall, 1),
    serverCpuUsPerCall: of((result) => result.serverCpuUsPerCall, 1),
    p50Ms: of((result) => result.p50Ms, 2),
    p99Ms: of((result) => result.p99Ms, 2),
  };
}

function target(what: string, value: number, is: ">=" | "<=", limit: number) {
  const met = is === ">=" ? value >= limit : value <= limit;
  return { what, value: Number(value.toFixed(2)), is, limit, met };
}
