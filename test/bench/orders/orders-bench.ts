import { machineLine, saveResult } from "../save-result.ts";
import { startBenchMesh, type BenchMesh } from "./bench-mesh.ts";
import { measureEvents } from "./measure-events.ts";
import { measureRecovery } from "./measure-recovery.ts";
import { measureSameKey } from "./measure-same-key.ts";
import { loadOrders } from "./order-load.ts";
import { judge } from "./targets.ts";

const WARM_UP_MS = 5_000;
const ROUND_MS = 8_000;
const PRODUCTS = 1_000;

/** Measures whole orders: real calls between the services, durable steps, outboxes and Kafka on, one machine. */
export async function run(): Promise<number> {
  console.log(`orders on ${machineLine()}`);
  await using world = await startBenchMesh();
  const skus = await world.createProducts(PRODUCTS);
  const [hotSku = ""] = skus;
  await loadOrders(world, { skus, inFlight: 32, ms: WARM_UP_MS });

  const spread = await byConcurrency(world, skus);
  console.table(spread);
  const hot = await loadOrders(world, {
    skus: [hotSku],
    inFlight: 32,
    ms: ROUND_MS,
  });
  console.table({ "one hot SKU": hot });
  const events = await measureEvents(world, skus);
  console.table({ events });
  const sameKey = await measureSameKey(world, hotSku);
  console.table({ sameKey });
  const recovery = await measureRecovery(world, skus);
  console.table(recovery);

  const targets = judge({ spread, events, sameKey, recovery });
  console.table(targets);
  const result = { spread, hot, events, sameKey, recovery, targets };
  const file = await saveResult("orders", result);
  console.log(`written to ${file.pathname}`);
  return targets.every(({ met }) => met) ? 0 : 1;
}

async function byConcurrency(world: BenchMesh, skus: readonly string[]) {
  const rates = [];
  for (const inFlight of [1, 8, 32, 64]) {
    rates.push(await loadOrders(world, { skus, inFlight, ms: ROUND_MS }));
  }
  return rates;
}
