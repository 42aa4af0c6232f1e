/**
 * `npm run test:faults`: orders under faults. Each seed is a plan of orders and faults on one mesh; after each, the
 * invariants are checked from the databases and from the payment provider's own log.
 *
 *   npm run test:faults -- --seeds 50        seeds 1 to 50
 *   npm run test:faults -- --seed 17,23      these again
 *   npm run test:faults -- --mode two-phase  with orders of one mode only: orchestrated, choreographed, two-phase
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startMesh } from "../../deploy/local/mesh.ts";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { connectToEdge } from "../support/edge-clients.ts";
import { auditMesh } from "../support/mesh-audit.ts";
import { edgeOf } from "../support/mesh-under-test.ts";
import { checkInvariants } from "./check-invariants.ts";
import { inflict } from "./faults.ts";
import { placeOrders, stockUp } from "./place-orders.ts";
import { spoilWebhooks } from "./spoil-webhooks.ts";
import { MODES, planScenario, type Mode, type Scenario } from "./scenario.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "5" },
    seed: { type: "string" },
    mode: { type: "string" },
  },
});
process.exitCode = await run(seedsOf(values), modeOf(values));

function modeOf({ mode }: { mode?: string }): Mode | undefined {
  const chosen = MODES.find((each) => each === mode);
  if (mode !== undefined && chosen === undefined) {
    throw new Error(`--mode takes one of ${MODES.join(", ")}`);
  }
  return chosen;
}

function seedsOf({ seeds, seed }: { seeds: string; seed?: string }): number[] {
  const chosen =
    seed?.split(",").map(Number) ??
    Array.from({ length: Number(seeds) || 0 }, (_, index) => index + 1);
  if (chosen.length === 0 || !chosen.every(Number.isInteger)) {
    throw new Error("--seeds takes a count, --seed whole numbers");
  }
  return chosen;
}

async function run(
  seeds: readonly number[],
  mode: Mode | undefined,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "weft-faults-"));
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort(new Error("interrupted")));
  await using mesh = await startMesh({
    directory,
    components: ["redis"],
    edgePort: await freePort(),
    onProgress: (line) => {
      if (/ended/.test(line)) console.log(`  ${line}`);
    },
    signal: stopped.signal,
  });
  const failed: number[] = [];
  for (const seed of seeds) {
    if (stopped.signal.aborted) return 130;
    const isRight = await runSeed(mesh, planScenario(seed, mode));
    if (!isRight) failed.push(seed);
  }
  console.log(
    `${seeds.length - failed.length} of ${seeds.length} seeds kept every invariant`,
  );
  if (failed.length > 0) {
    const again = mode === undefined ? "" : ` --mode ${mode}`;
    console.log(
      `again: npm run test:faults -- --seed ${failed.join(",")}${again}`,
    );
    console.log(`logs: ${join(directory, "logs")}`);
    return 1;
  }
  await mesh.stop();
  await rm(directory, { recursive: true, force: true });
  return 0;
}

async function runSeed(mesh: Mesh, scenario: Scenario): Promise<boolean> {
  const startedAt = performance.now();
  const faults = scenario.faults
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ atMs, fault, forMs }) => `${fault} @${atMs} ms (${forMs} ms)`);
  faults.push(`webhooks ${JSON.stringify(scenario.webhooks)}`);
  console.log(`seed ${scenario.seed}: ${faults.join(", ")}`);
  try {
    const placed = await play(mesh, scenario);
    const healedAt = performance.now();
    await auditMesh(addressesOf(mesh));
    const settledMs = Math.round(performance.now() - healedAt);
    await checkInvariants(mesh, placed);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `seed ${scenario.seed}: ok, ${placed.length} orders, all settled ${settledMs} ms after the last fault, ${seconds} s`,
    );
    return true;
  } catch (error) {
    console.error(`seed ${scenario.seed}: FAILED`, error);
    return false;
  }
}

async function play(mesh: Mesh, scenario: Scenario) {
  using client = connectToEdge(edgeOf(addressesOf(mesh)), "gRPC");
  const skus = await stockUp(client, scenario);
  await spoilWebhooks(mesh.paymentProviderUrl, scenario.webhooks);
  const faults = scenario.faults.map(async (fault) => {
    await delay(fault.atMs);
    await inflict(mesh, fault);
  });
  const [placed] = await Promise.all([
    placeOrders(client, scenario, skus),
    ...faults,
  ]);
  return placed;
}

function addressesOf(mesh: Mesh) {
  if (!mesh.edge || !mesh.issuer) throw new Error("the mesh has no edge");
  return {
    edgeUrl: mesh.edge.url,
    caFile: mesh.caFile,
    demoTokenFile: mesh.issuer.demoTokenFile,
    paymentProviderUrl: mesh.paymentProviderUrl,
  };
}
