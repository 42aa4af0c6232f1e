import { setTimeout as delay } from "node:timers/promises";
import { Order_Coordination as Coordination } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { median } from "../median.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { loadOrders, orderOne, type OrderRate } from "./order-load.ts";

/** Many and short, as a shared machine is now faster and now slower for half a minute. */
const ROUNDS = 9;
const ROUND_MS = 3_000;
/** Orchestrated orders are warm by now; the code, the prices and the connections of the others are not. */
const WARM_UP_MS = 15_000;
/** The last events of one way are still under way when its orders are done: the next one does not pay for them. */
const SETTLE_MS = 1_000;
/** What followed choreographed orders looks for the next ones for a while longer. */
const QUIET_MS = 4_000;

const { ORCHESTRATED, CHOREOGRAPHED, TWO_PHASE_COMMIT } = Coordination;

/** How orders are coordinated, and whether all of them want one product. */
const VARIANTS = {
  orchestrated: { coordination: ORCHESTRATED, isHot: false },
  choreographed: { coordination: CHOREOGRAPHED, isHot: false },
  twoPhase: { coordination: TWO_PHASE_COMMIT, isHot: false },
  orchestratedHot: { coordination: ORCHESTRATED, isHot: true },
  twoPhaseHot: { coordination: TWO_PHASE_COMMIT, isHot: true },
} as const;

type Variant = keyof typeof VARIANTS;

export interface ModeComparison {
  /** Of each variant, the round with the median of its orders a second. */
  readonly rates: Readonly<Record<Variant, OrderRate>>;
  /** Orders a second by those of the orchestrated saga in the same round, medians. */
  readonly ratios: {
    readonly choreographed: number;
    readonly twoPhase: number;
    readonly twoPhaseHot: number;
  };
}

/** The ways to coordinate an order in turn, 32 orders in flight, so that what else the machine does meets all of them. */
export async function compareModes(
  world: BenchMesh,
  skus: readonly string[],
): Promise<ModeComparison> {
  const run = async (variant: Variant, ms: number) => {
    await delay(SETTLE_MS);
    const { coordination, isHot } = VARIANTS[variant];
    return loadOrders(world, {
      skus: isHot ? skus.slice(0, 1) : skus,
      inFlight: 32,
      ms,
      orderOne: (sku) => orderOne(world, [sku], coordination),
    });
  };
  await run("choreographed", WARM_UP_MS);
  await run("twoPhase", WARM_UP_MS);
  await delay(QUIET_MS);
  const rounds: Record<Variant, OrderRate>[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const rates = {
      orchestrated: await run("orchestrated", ROUND_MS),
      twoPhase: await run("twoPhase", ROUND_MS),
      orchestratedHot: await run("orchestratedHot", ROUND_MS),
      twoPhaseHot: await run("twoPhaseHot", ROUND_MS),
      choreographed: await run("choreographed", ROUND_MS),
    };
    await delay(QUIET_MS);
    rounds.push(rates);
    console.log(
      Object.entries(rates)
        .map(([name, { ordersPerSecond }]) => `${name} ${ordersPerSecond}`)
        .join(", "),
    );
  }
  const ratio = (of: Variant, by: Variant) =>
    round2(
      median(
        rounds.map(
          (each) => each[of].ordersPerSecond / each[by].ordersPerSecond,
        ),
      ),
    );
  const middle = (variant: Variant) =>
    middleOf(rounds.map((each) => each[variant]));
  return {
    rates: {
      orchestrated: middle("orchestrated"),
      choreographed: middle("choreographed"),
      twoPhase: middle("twoPhase"),
      orchestratedHot: middle("orchestratedHot"),
      twoPhaseHot: middle("twoPhaseHot"),
    },
    ratios: {
      choreographed: ratio("choreographed", "orchestrated"),
      twoPhase: ratio("twoPhase", "orchestrated"),
      twoPhaseHot: ratio("twoPhaseHot", "orchestratedHot"),
    },
  };
}

function middleOf(rates: readonly OrderRate[]): OrderRate {
  const sorted = rates.toSorted(
    (a, b) => a.ordersPerSecond - b.ordersPerSecond,
  );
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("no round was measured");
  return middle;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
