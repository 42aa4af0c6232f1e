import { median } from "../median.ts";
import type { Load } from "../rpc/load.ts";
import type { PairResult } from "../rpc/start-peer.ts";
import type { MeasuredEdge } from "./edge-world.ts";

/** A result, and the CPU that each process behind the client and before the server took for a call, in microseconds. */
export type EdgeResult = PairResult & {
  readonly tookUs: Readonly<Record<string, number>>;
};

export async function measureEdge(
  edge: MeasuredEdge,
  load: Load,
): Promise<EdgeResult> {
  const before = await edge.cpu();
  const result = await edge.makeLoad(load);
  const after = await edge.cpu();
  const tookUs = Object.fromEntries(
    Object.entries(after).map(([name, us]) => [
      name,
      (us - (before[name] ?? 0)) / result.calls,
    ]),
  );
  return { ...result, tookUs };
}

/** By process, the median of the rounds. */
export function cpuUsPerCall(
  rounds: readonly EdgeResult[],
): Record<string, number> {
  const of = (pick: (result: EdgeResult) => number) =>
    Number(median(rounds.map(pick)).toFixed(2));
  return {
    client: of((one) => one.cpuUsPerCall - one.serverCpuUsPerCall),
    server: of((one) => one.serverCpuUsPerCall),
    envoy: of(({ tookUs }) => tookUs["envoy"] ?? NaN),
    ratelimit: of(({ tookUs }) => tookUs["ratelimit"] ?? NaN),
    redis: of(({ tookUs }) => tookUs["redis"] ?? NaN),
  };
}
