import { createMeshTls } from "../../support/mesh-tls.ts";
import { startSink } from "../rpc/start-peer.ts";
import { machineLine, saveResult } from "../save-result.ts";
import { compareDecisions } from "./compare-decisions.ts";
import { compareEnvoy } from "./compare-envoy.ts";
import { compareLibrary } from "./compare-library.ts";
import { measureBoundary } from "./measure-boundary.ts";

/** Measures rate limits, as a library and as a service, and what the edge's filters cost. */
export async function run(): Promise<number> {
  console.log(`edge on ${machineLine()}`);
  await using tls = await createMeshTls(["order", "ratelimit"]);
  await using sink = await startSink();
  const library = await compareLibrary();
  const boundary = await measureBoundary();
  const decisions = await compareDecisions({ tls });
  const envoy = await compareEnvoy({ tls, sink });
  const parts = { library, boundary, decisions, envoy };
  const file = await saveResult("edge", parts);
  console.log(`written to ${file.pathname}`);
  const missed = Object.values(parts)
    .flatMap(({ targets }) => targets)
    .filter(({ met }) => !met);
  return missed.length === 0 ? 0 : 1;
}
