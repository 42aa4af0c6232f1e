import { machineLine, saveResult, savedResult } from "../save-result.ts";
import { analyze, startBenchMesh, type BenchMesh } from "./bench-mesh.ts";
import { compareDbos } from "./compare-dbos.ts";
import { compareModes } from "./compare-modes.ts";
import { measureEvents } from "./measure-events.ts";
import { measureGrowth } from "./measure-growth.ts";
import { measureOverload } from "./measure-overload.ts";
import { measureRecovery } from "./measure-recovery.ts";
import { measureSameKey } from "./measure-same-key.ts";
import { loadOrders } from "./order-load.ts";
import { judge } from "./targets.ts";

/** An order runs through most of the code once, so V8 takes long to know what is hot: CPU an order falls by a quarter in a minute. */
const WARM_UP_MS = 30_000;
const ROUND_MS = 6_000;
const PRODUCTS = 1_000;

type Part = (world: BenchMesh, skus: readonly string[]) => Promise<object>;

/** Each adds its figures to the result, which keeps those of the parts that are not measured this time. */
const PARTS: Readonly<Record<string, Part>> = {
  async rate(world, skus) {
    const spread = [];
    for (const inFlight of [1, 4, 8, 16, 32, 64, 128]) {
      spread.push(await loadOrders(world, { skus, inFlight, ms: ROUND_MS }));
    }
    const [hotSku = ""] = skus;
    const hot = await loadOrders(world, {
      skus: [hotSku],
      inFlight: 32,
      ms: ROUND_MS,
    });
    return { spread, hot };
  },
  modes: async (world, skus) => ({ modes: await compareModes(world, skus) }),
  peer: async (world, skus) => ({ peer: await compareDbos(world, skus) }),
  overload: async (world, skus) => ({
    overload: await measureOverload(world, skus),
  }),
  async events(world, skus) {
    const events = await measureEvents(world, skus);
    return { events, sameKey: await measureSameKey(world, skus[0] ?? "") };
  },
  recovery: async (world, skus) => ({
    recovery: await measureRecovery(world, skus),
  }),
  growth: async (world, skus) => ({ growth: await measureGrowth(world, skus) }),
};

/**
 * Measures whole orders: real calls between the services, durable steps, outboxes and Kafka on, one machine.
 * `npm run bench orders -- rate overload` measures these parts only.
 */
export async function run(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((part) => !Object.hasOwn(PARTS, part));
  if (unknown.length > 0) {
    console.error(
      `npm run bench orders [-- ${Object.keys(PARTS).join(" | ")} ...]`,
    );
    return 2;
  }
  console.log(`orders on ${machineLine()}`);
  await using world = await startBenchMesh();
  const skus = await world.createProducts(PRODUCTS);
  await loadOrders(world, { skus, inFlight: 32, ms: WARM_UP_MS });
  // Tables of a minute have statistics by themselves; these are younger.
  await analyze(world);
  let result = await savedResult("orders");
  for (const [name, part] of Object.entries(PARTS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const figures = await part(world, skus);
    console.log(`${name}: ${JSON.stringify(figures, null, 2)}`);
    result = { ...result, ...figures };
    // What is measured stays, whatever becomes of the next part.
    await saveResult("orders", { ...result, targets: judge(result) });
  }
  const targets = judge(result);
  console.table(targets);
  return targets.every(({ met }) => met) ? 0 : 1;
}
