import { execArgvOf } from "./profiling.ts";
import type { MeshTls } from "../../support/mesh-tls.ts";
import { startBenchChild, type BenchChild } from "../bench-child.ts";
import type { Load, LoadResult } from "./load.ts";
import type { PeerName } from "./peer.ts";
import type { ProcessOptions } from "./process-options.ts";

export interface Sink extends AsyncDisposable {
  readonly url: string;
  receivedBytes(): Promise<number>;
}

/** A client process, and the server process that answers it. */
export interface Pair {
  makeLoad(load: Load): Promise<PairResult>;
}

export interface PairResult extends LoadResult {
  readonly callsPerSecond: number;
  /** CPU of both processes for one call. */
  readonly cpuUsPerCall: number;
  readonly serverCpuUsPerCall: number;
}

/** Starts the process that takes telemetry and drops it. */
export async function startSink(): Promise<Sink> {
  const module = new URL("./telemetry-sink.ts", import.meta.url);
  const child = await startBenchChild(module, {});
  // telemetry-sink.ts answers with these.
  const state = async () =>
    (await child.ask({})) as { port: number; received: number };
  const { port } = await state();
  return {
    url: `http://127.0.0.1:${port}`,
    receivedBytes: async () => (await state()).received,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

export async function startServer(
  tls: MeshTls,
  peer: PeerName,
  more: Pick<ProcessOptions, "port" | "telemetry"> = {},
): Promise<BenchChild & { readonly port: number }> {
  const child = await startBenchChild(
    new URL("./server-process.ts", import.meta.url),
    { peer, ...more, tls: optionsOf(tls, "order") },
    execArgvOf(`server-${peer}`),
  );
  return { ...child, port: (await cpuOf(child)).port };
}

export async function startClient(
  tls: MeshTls,
  peer: PeerName,
  more: Pick<ProcessOptions, "address" | "telemetry" | "token">,
): Promise<BenchChild> {
  return startBenchChild(
    new URL("./client-process.ts", import.meta.url),
    { peer, ...more, tls: optionsOf(tls, "edge") },
    execArgvOf(`client-${peer}`),
  );
}

/** Makes loads with a client and counts the CPU of both sides. */
export function pairOf(client: BenchChild, server: BenchChild): Pair {
  return {
    async makeLoad(load) {
      const before = await cpuOf(server);
      // client-process.ts answers a load with its result.
      const result = (await client.ask(load)) as LoadResult;
      const serverCpuUs = (await cpuOf(server)).cpuUs - before.cpuUs;
      return {
        ...result,
        callsPerSecond: result.calls / result.seconds,
        cpuUsPerCall: (serverCpuUs + result.cpuUs) / result.calls,
        serverCpuUsPerCall: serverCpuUs / result.calls,
      };
    },
  };
}

async function cpuOf(server: BenchChild) {
  // server-process.ts answers everything with these.
  return (await server.ask({})) as { port: number; cpuUs: number };
}

function optionsOf(tls: MeshTls, name: string): ProcessOptions["tls"] {
  return { ca: tls.certificates.ca, ...tls.filesOf(name) };
}
