import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { percentile } from "../median.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { cpuPerOrder, cpuTime, type CpuTime } from "./cpu-time.ts";

/** Sooner than a refusal asks for, so that somebody always waits at the door. */
const RETRY_MS = 100;

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
  /** Requests for each order that were refused, as too many orders were under way. */
  readonly refused: number;
  readonly ordersPerSecond: number;
  /** From the request until the order is completed. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of each process for one order, in milliseconds: what the figures of a shared machine are compared by. */
  readonly cpuMs: CpuTime;
}

/**
 * So many callers, each of whom orders again when the order before is completed. Whoever is refused for overload tries
 * again after a while, and its time runs on.
 */
export async function loadOrders(
  world: BenchMesh,
  { skus, inFlight, ms, orderOne: one }: OrderLoad,
): Promise<OrderRate> {
  const latencies: number[] = [];
  let refused = 0;
  const before = cpuTime(world);
  const startedAt = performance.now();
  const caller = async () => {
    while (performance.now() - startedAt < ms) {
      const sentAt = performance.now();
      while (
        !(await isAccepted(one ? one(pick(skus)) : orderOne(world, skus)))
      ) {
        refused += 1;
        await delay(RETRY_MS * (0.5 + Math.random()));
      }
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    inFlight,
    refused: Math.round((refused / latencies.length) * 100) / 100,
    ordersPerSecond: Math.round(latencies.length / seconds),
    p50Ms: Math.round(percentile(latencies, 0.5)),
    p99Ms: Math.round(percentile(latencies, 0.99)),
    cpuMs: cpuPerOrder(before, cpuTime(world), latencies.length),
  };
}

/** False where the order was refused for overload. */
async function isAccepted(order: Promise<void>): Promise<boolean> {
  try {
    await order;
    return true;
  } catch (error) {
    if (ConnectError.from(error).code !== Code.ResourceExhausted) throw error;
    return false;
  }
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
  coordination: Coordination = Coordination.UNSPECIFIED,
): Promise<void> {
  const sku = pick(skus);
  const { order } = await orders.createOrder(
    {
      order: {
        lines: [{ sku, quantity: 1 }],
        paymentToken: "tok_visa",
        coordination,
      },
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
