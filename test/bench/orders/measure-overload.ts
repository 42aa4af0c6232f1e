import { Code, ConnectError } from "@connectrpc/connect";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { percentile } from "../median.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { loadOrders, orderOne } from "./order-load.ts";

const CALM_MS = 8_000;
const STORM_MS = 10_000;

export interface Overload {
  readonly capacityPerSecond: number;
  readonly calmPerSecond: number;
  readonly calmP99Ms: number;
  readonly offeredPerSecond: number;
  readonly acceptedPerSecond: number;
  readonly refused: number;
  readonly acceptedP50Ms: number;
  readonly acceptedP99Ms: number;
  /** Of the accepted orders' p99, under overload by unloaded. */
  readonly p99Ratio: number;
  readonly orderRssMb: { readonly before: number; readonly after: number };
}

/** Orders that come three times as fast as they can be settled, whatever becomes of them. */
export async function measureOverload(
  world: BenchMesh,
  skus: readonly string[],
): Promise<Overload> {
  const { ordersPerSecond: capacity } = await loadOrders(world, {
    skus,
    inFlight: 32,
    ms: 6_000,
  });
  const calmPerSecond = Math.max(1, Math.round(capacity / 3));
  const calm = await arrive(world, skus, calmPerSecond, CALM_MS);
  const before = rssMb(world);
  const storm = await arrive(world, skus, capacity * 3, STORM_MS);
  const calmP99Ms = Math.round(percentile(calm.latencies, 0.99));
  const acceptedP99Ms = Math.round(percentile(storm.latencies, 0.99));
  return {
    capacityPerSecond: capacity,
    calmPerSecond,
    calmP99Ms,
    offeredPerSecond: capacity * 3,
    acceptedPerSecond: Math.round((storm.latencies.length * 1000) / STORM_MS),
    refused: storm.refused,
    acceptedP50Ms: Math.round(percentile(storm.latencies, 0.5)),
    acceptedP99Ms,
    p99Ratio: Math.round((acceptedP99Ms / calmP99Ms) * 100) / 100,
    orderRssMb: { before, after: rssMb(world) },
  };
}

async function arrive(
  world: BenchMesh,
  skus: readonly string[],
  perSecond: number,
  ms: number,
): Promise<{ latencies: number[]; refused: number }> {
  const latencies: number[] = [];
  let refused = 0;
  const one = async () => {
    const sentAt = performance.now();
    try {
      await orderOne(world, skus);
      latencies.push(performance.now() - sentAt);
    } catch (error) {
      if (ConnectError.from(error).code !== Code.ResourceExhausted) throw error;
      refused += 1;
    }
  };
  const orders: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let made = 0; made < (perSecond * ms) / 1000; made += 1) {
    const dueInMs = startedAt + (made * 1000) / perSecond - performance.now();
    if (dueInMs > 1) await delay(dueInMs);
    orders.push(one());
  }
  await Promise.all(orders);
  return { latencies, refused };
}

/** Resident memory of the Order service; 0 where there is no /proc. */
function rssMb({ mesh }: BenchMesh): number {
  try {
    const status = readFileSync(`/proc/${mesh.pids()["order"]}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}
