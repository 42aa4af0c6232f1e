import { setTimeout as delay } from "node:timers/promises";
import {
  Order_State as State,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { missingEvents, type ExpectedEnd } from "./demo-orders.ts";
import type { EdgeClients } from "./edge-clients.ts";

const POLL_MS = 100;

/**
 * Asks GetOrder until the expected events have come back from Kafka. Returns the
 * order as it stands then, or at `deadline` (of `performance.now`), or as soon as
 * it is settled in another state than expected.
 */
export async function awaitTimeline(
  { orders, call }: Pick<EdgeClients, "orders" | "call">,
  name: string,
  expected: ExpectedEnd,
  deadline: number,
): Promise<Order> {
  for (;;) {
    const { order } = await orders.getOrder({ name }, call);
    if (order === undefined) throw new Error(`GetOrder of ${name} is empty`);
    const isComplete =
      order.state === expected.state &&
      missingEvents(order, expected).length === 0;
    const isLost = SETTLED.has(order.state) && order.state !== expected.state;
    if (isComplete || isLost || performance.now() > deadline) return order;
    await delay(POLL_MS, undefined, { signal: call.signal });
  }
}

const SETTLED: ReadonlySet<State> = new Set([
  State.COMPLETED,
  State.REJECTED,
  State.CANCELLED,
]);
