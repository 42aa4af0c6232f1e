import type { MeshTls } from "../../support/mesh-tls.ts";
import { startTestIssuer } from "../../support/test-issuer.ts";
import { shippedEdge, startBenchEnvoy } from "../edge/bench-envoy.ts";
import { median } from "../median.ts";
import {
  pairOf,
  startClient,
  startServer,
  type PairResult,
  type Sink,
} from "./start-peer.ts";

// Few at a time: what is asked is what the edge adds to a call, not how calls queue behind it.
const inFlight = 4;
const warmUpMs = 3_000;
const roundMs = 2_000;
const rounds = 7;

/** The same grpc-js client, the same Order service: through Envoy with TLS, and direct with TLS. */
export async function compareEdge({ tls, sink }: { tls: MeshTls; sink: Sink }) {
  await using started = new AsyncDisposableStack();
  const server = started.use(
    await startServer(tls, "platform", { telemetry: sink.url }),
  );
  const issuer = started.use(await startTestIssuer());
  const { edgePort } = await startBenchEnvoy(started, (ports) =>
    shippedEdge({
      ...ports,
      tls,
      services: { order: server },
      issuers: [issuer],
    }),
  );
  const token = await issuer.token();
  const client = async (port: number) =>
    started.use(
      await startClient(tls, "bare grpc-js", {
        address: `127.0.0.1:${port}`,
        token,
      }),
    );
  const direct = pairOf(await client(server.port), server);
  const through = pairOf(await client(edgePort), server);
  await direct.makeLoad({ inFlight, ms: warmUpMs });
  await through.makeLoad({ inFlight, ms: warmUpMs });
  const results: { direct: PairResult; through: PairResult }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    results.push({
      direct: await direct.makeLoad({ inFlight, ms: roundMs }),
      through: await through.makeLoad({ inFlight, ms: roundMs }),
    });
  }
  return report(results);
}

function report(results: { direct: PairResult; through: PairResult }[]) {
  const share = (pick: (result: PairResult) => number) => {
    const of = (values: number[]) => Number(median(values).toFixed(2));
    return {
      directMs: of(results.map(({ direct }) => pick(direct))),
      throughMs: of(results.map(({ through }) => pick(through))),
      edgeMs: of(
        results.map(({ direct, through }) => pick(through) - pick(direct)),
      ),
    };
  };
  const latency = {
    p50: share((result) => result.p50Ms),
    p99: share((result) => result.p99Ms),
  };
  console.table(latency);
  return { inFlight, roundMs, rounds, latency };
}
