import { median } from "../median.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { startDbosPeer } from "./dbos-peer.ts";
import { loadOrders, type OrderRate } from "./order-load.ts";

const ROUNDS = 3;
const ROUND_MS = 6_000;
const WARM_UP_MS = 4_000;

export interface PeerComparison {
  readonly weft: OrderRate;
  readonly dbos: OrderRate;
  /** Of the orders a second, ours by theirs: the median of the rounds. */
  readonly ratio: number;
  /** Of the CPU time of an order, theirs by ours. */
  readonly cpuRatio: number;
}

/** Ours and a DBOS workflow in turn, 32 orders in flight, so that what else the machine does meets both. */
export async function compareDbos(
  world: BenchMesh,
  skus: readonly string[],
): Promise<PeerComparison> {
  await using peer = await startDbosPeer(world);
  const ours = (ms: number) => loadOrders(world, { skus, inFlight: 32, ms });
  const theirs = (ms: number) =>
    loadOrders(world, { skus, inFlight: 32, ms, orderOne: peer.orderOne });
  await theirs(WARM_UP_MS);
  await ours(WARM_UP_MS);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push({ weft: await ours(ROUND_MS), dbos: await theirs(ROUND_MS) });
  }
  const ratios = rounds.map(
    ({ weft, dbos }) => weft.ordersPerSecond / dbos.ordersPerSecond,
  );
  const cpuRatios = rounds.map(
    ({ weft, dbos }) =>
      (dbos.cpuMs["total"] ?? NaN) / (weft.cpuMs["total"] ?? NaN),
  );
  const [middle] = rounds.toSorted(
    (a, b) => distance(a, median(ratios)) - distance(b, median(ratios)),
  );
  if (middle === undefined) throw new Error("no round was measured");
  return {
    ...middle,
    ratio: round2(median(ratios)),
    cpuRatio: round2(median(cpuRatios)),
  };
}

function distance(
  { weft, dbos }: { weft: OrderRate; dbos: OrderRate },
  ratio: number,
): number {
  return Math.abs(weft.ordersPerSecond / dbos.ordersPerSecond - ratio);
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
