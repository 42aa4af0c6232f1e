import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { percentile } from "../median.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { cpuPerOrder, cpuTime, type CpuTime } from "./cpu-time.ts";

export interface OrderLoad {
  readonly skus: readonly string[];
  /** Orders under way at once. */
  readonly inFlight: number;
  readonly ms: number;
  /** Sees one order through; by CreateOrder, if left out. */
  readonly orderOne?: (sku: string) => Promise<void>;
}

export interface OrderRate {
  readonly inFlight: number;
  readonly ordersPerSecond: number;
  /** From the request until the order is completed. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of each process for one order, in milliseconds: what the figures of a shared machine are compared by. */
  readonly cpuMs: CpuTime;
}

/** So many callers, each of whom orders again when the order before is completed. */
export async function loadOrders(
  world: BenchMesh,
  { skus, inFlight, ms, orderOne: one }: OrderLoad,
): Promise<OrderRate> {
  const latencies: number[] = [];
  const before = cpuTime(world);
  const startedAt = performance.now();
  const caller = async () => {
    while (performance.now() - startedAt < ms) {
      const sentAt = performance.now();
      await (one ? one(pick(skus)) : orderOne(world, skus));
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    inFlight,
    ordersPerSecond: Math.round(latencies.length / seconds),
    p50Ms: Math.round(percentile(latencies, 0.5)),
    p99Ms: Math.round(percentile(latencies, 0.99)),
    cpuMs: cpuPerOrder(before, cpuTime(world), latencies.length),
  };
}

/** Places orders at a steady pace, whatever becomes of the ones before. */
export async function paceOrders(
  world: BenchMesh,
  load: { skus: readonly string[]; perSecond: number; ms: number },
): Promise<void> {
  const placed: Promise<void>[] = [];
  const startedAt = performance.now();
  const total = Math.round((load.perSecond * load.ms) / 1000);
  for (let made = 0; made < total; made += 1) {
    const dueInMs =
      startedAt + (made * 1000) / load.perSecond - performance.now();
    if (dueInMs > 1) await delay(dueInMs);
    placed.push(orderOne(world, load.skus));
  }
  await Promise.all(placed);
}

/** Orders one of the products, and waits until the order is completed. */
export async function orderOne(
  { orders, asUser }: BenchMesh,
  skus: readonly string[],
): Promise<void> {
  const sku = pick(skus);
  const { order } = await orders.createOrder(
    {
      order: { lines: [{ sku, quantity: 1 }], paymentToken: "tok_visa" },
      requestId: randomUUID(),
      wait: true,
    },
    asUser,
  );
  if (order?.state !== State.COMPLETED) {
    throw new Error(`an order of the load is in state ${order?.state}`);
  }
}

function pick(skus: readonly string[]): string {
  return skus[Math.floor(Math.random() * skus.length)] ?? "";
}
