import { createMeshTls, type MeshTls } from "../../support/mesh-tls.ts";
import { startSink, type Sink } from "../rpc/start-peer.ts";
import { machineLine, savedResult, saveResult } from "../save-result.ts";
import { compareDecisions } from "./compare-decisions.ts";
import { compareEnvoy } from "./compare-envoy.ts";
import { compareLibrary } from "./compare-library.ts";
import { compareParts } from "./compare-parts.ts";
import { measureBoundary } from "./measure-boundary.ts";
import type { Target } from "./targets.ts";

type Part = (deps: { readonly tls: MeshTls; readonly sink: Sink }) => Promise<{
  readonly targets: readonly Target[];
}>;

const PARTS: Readonly<Record<string, Part>> = {
  library: () => compareLibrary(),
  boundary: () => measureBoundary(),
  decisions: (deps) => compareDecisions(deps),
  envoy: (deps) => compareEnvoy(deps),
  parts: (deps) => compareParts(deps),
};

/**
 * Measures rate limits, as a library and as a service, and what the edge's filters cost, together and each.
 * `npm run bench edge -- decisions envoy` measures these parts only; the result keeps those of the others.
 */
export async function run(wanted: readonly string[]): Promise<number> {
  if (wanted.some((part) => !Object.hasOwn(PARTS, part))) {
    console.error(
      `npm run bench edge [-- ${Object.keys(PARTS).join(" | ")} ...]`,
    );
    return 2;
  }
  console.log(`edge on ${machineLine()}`);
  await using tls = await createMeshTls(["order", "ratelimit"]);
  await using sink = await startSink();
  const missed: Target[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const found = await part({ tls, sink });
    missed.push(...found.targets.filter(({ met }) => !met));
    // What is measured stays, whatever becomes of the next part.
    await saveResult("edge", { ...(await savedResult("edge")), [name]: found });
  }
  return missed.length === 0 ? 0 : 1;
}
