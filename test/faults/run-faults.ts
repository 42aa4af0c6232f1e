/**
 * `npm run test:faults`: orders under faults. Each seed is a plan of orders and faults on one mesh; after each, the
 * invariants are checked from the databases and from the payment provider's own log.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectToEdge } from "../support/edge-clients.ts";
import { auditMesh } from "../support/mesh-audit.ts";
import { checkInvariants } from "./check-invariants.ts";
import { chooseMode, chooseSeeds, replayOf } from "./choose-seeds.ts";
import { chooseCrashPoints, type CrashPoint } from "./crash-points.ts";
import { startFaultMesh, type FaultMesh } from "./fault-mesh.ts";
import { playPoint, type PointResult } from "./play-points.ts";
import { inflict } from "./faults.ts";
import { insist, placeOrders, stockUp } from "./place-orders.ts";
import { spoilWebhooks } from "./spoil-webhooks.ts";
import { MODES, planScenario, type Mode, type Scenario } from "./scenario.ts";

const USAGE = `npm run test:faults [-- options]: orders under faults, on a mesh of its own
  --seeds 50        seeds 1 to 50 (without any choice: 5)
  --seed 17,20-23   these again
  --points all      kills a service at each crash point, in each mode; \`short\`, or parts of names
  --mode two-phase  with orders of one mode only: ${MODES.join(", ")}
  --help            this text`;

process.exitCode = await main();

async function main(): Promise<number> {
  let chosen;
  try {
    chosen = choose();
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`,
    );
    return 2;
  }
  if (chosen !== undefined) return run(chosen);
  console.log(USAGE);
  return 0;
}

interface Choice {
  readonly seeds: readonly number[];
  readonly mode: Mode | undefined;
  readonly points: readonly CrashPoint[];
}

/** Nothing where help is asked for. @throws Error where an option is wrong. */
function choose(): Choice | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      mode: { type: "string" },
      points: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { points } = values;
  const mode = chooseMode(values);
  return {
    seeds: chooseSeeds(values),
    mode,
    points: points === undefined ? [] : chooseCrashPoints(points, mode),
  };
}

async function run({ seeds, mode, points }: Choice): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "weft-faults-"));
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort(new Error("interrupted")));
  await using world = await startFaultMesh(directory, stopped.signal);
  const isRight = [
    points.length === 0 || (await runPoints(world, points, stopped.signal)),
    seeds.length === 0 || (await runSeeds(world, seeds, mode, stopped.signal)),
  ].every(Boolean);
  if (stopped.signal.aborted) return 130;
  if (!isRight) {
    console.log(`logs: ${join(directory, "logs")}`);
    return 1;
  }
  await world[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
  return 0;
}

async function runSeeds(
  world: FaultMesh,
  seeds: readonly number[],
  mode: Mode | undefined,
  stopped: AbortSignal,
): Promise<boolean> {
  const failed: number[] = [];
  for (const seed of seeds) {
    if (stopped.aborted) return false;
    // Before it is played: a run that hangs or is killed tells nothing in the end.
    console.log(`seed ${seed}: ${replayOf([seed], mode)}`);
    const isRight = await runSeed(world, planScenario(seed, mode));
    if (!isRight) failed.push(seed);
  }
  console.log(
    `${seeds.length - failed.length} of ${seeds.length} seeds kept every invariant`,
  );
  if (failed.length === 0) return true;
  console.log(`again: ${replayOf(failed, mode)}`);
  return false;
}

async function runPoints(
  world: FaultMesh,
  points: readonly CrashPoint[],
  stopped: AbortSignal,
): Promise<boolean> {
  const results: PointResult[] = [];
  for (const point of points) {
    if (stopped.aborted) return false;
    const result = await playPoint(world, point);
    results.push(result);
    const outcome = result.fault ?? `settled within ${result.settledMs} ms`;
    console.log(`${result.id}: ${outcome}`);
  }
  const isKept = await checkInvariants(world.mesh, []).then(
    () => true,
    (error: unknown) => {
      console.error(error);
      return false;
    },
  );
  const failed = results.filter(({ fault }) => fault !== undefined);
  console.log(tableOf(results));
  console.log(
    `${results.length - failed.length} of ${results.length} crash points kept every invariant`,
  );
  return isKept && failed.length === 0;
}

/** A line a step, a column a mode: how long the orders took after a crash before and after it, in seconds. */
function tableOf(results: readonly PointResult[]): string {
  const cell = (mode: Mode, step: string) =>
    (["before", "after"] as const)
      .map((when) => {
        const found = results.find(
          ({ id }) => id === `${mode}/${step}/${when}`,
        );
        if (found === undefined) return "-";
        return found.settledMs === undefined
          ? "FAILED"
          : (found.settledMs / 1_000).toFixed(1);
      })
      .join(" / ");
  const steps = new Set(
    results.map(({ id }) => id.split("/").slice(1, 3).join("/")),
  );
  const lines = [...steps].map((step) => [
    step,
    ...MODES.map((mode) => cell(mode, step)),
  ]);
  return [["before / after, s", ...MODES], ...lines]
    .map(([first = "", ...cells]) =>
      [first.padEnd(28), ...cells.map((each) => each.padEnd(18))].join(""),
    )
    .join("\n");
}

async function runSeed(world: FaultMesh, scenario: Scenario): Promise<boolean> {
  const startedAt = performance.now();
  const faults = scenario.faults
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ atMs, fault, forMs }) => `${fault} @${atMs} ms (${forMs} ms)`);
  faults.push(`webhooks ${JSON.stringify(scenario.webhooks)}`);
  console.log(`seed ${scenario.seed}: ${faults.join(", ")}`);
  try {
    const placed = await play(world, scenario);
    const healedAt = performance.now();
    await auditMesh(world.addresses, insist);
    const settledMs = Math.round(performance.now() - healedAt);
    await checkInvariants(world.mesh, placed);
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

async function play(world: FaultMesh, scenario: Scenario) {
  using client = connectToEdge(world.edge, "gRPC");
  const skus = await stockUp(client, scenario);
  await spoilWebhooks(world.mesh.paymentProviderUrl, scenario.webhooks);
  const faults = scenario.faults.map(async (fault) => {
    await delay(fault.atMs);
    await inflict(world, fault);
  });
  const [placed] = await Promise.all([
    placeOrders(client, scenario, skus),
    ...faults,
  ]);
  return placed;
}
