import { Code, ConnectError } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EdgeClient } from "../support/edge-clients.ts";
import { titleOf } from "../support/mesh-audit.ts";
import { Order_Coordination as Coordination } from "../../gen/ts/weft/order/v1/order_pb.ts";
import type { Mode, PlannedOrder, Scenario } from "./scenario.ts";

/** While faults last, every one of these means: ask again. */
const AGAIN: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Internal,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.Canceled,
  Code.Unknown,
]);
const PATIENCE_MS = 120_000;

export const COORDINATION: Readonly<Record<Mode, Coordination>> = {
  orchestrated: Coordination.ORCHESTRATED,
  choreographed: Coordination.CHOREOGRAPHED,
  "two-phase": Coordination.TWO_PHASE_COMMIT,
};

export interface PlacedOrder {
  readonly requestId: string;
  /** One name for each copy of the request that was sent. */
  readonly names: readonly string[];
}

/** Creates the scenario's products; returns their SKUs. */
export async function stockUp(
  client: EdgeClient,
  { seed, stock }: Scenario,
): Promise<string[]> {
  const run = randomUUID().slice(0, 8);
  return Promise.all(
    stock.map(async (units, index) => {
      const sku = `seed-${seed}-${index}-${run}`;
      const request = {
        sku,
        openingStock: BigInt(units),
        product: {
          title: titleOf(BigInt(units)),
          price: { currencyCode: "EUR", units: 9n, nanos: 990_000_000 },
        },
        requestId: randomUUID(),
      };
      await insist(() => client.inventory.createProduct(request));
      return sku;
    }),
  );
}

/** Places every order of the plan when its time comes, and insists until each is accepted. */
export async function placeOrders(
  client: EdgeClient,
  { orders }: Scenario,
  skus: readonly string[],
): Promise<PlacedOrder[]> {
  return Promise.all(
    orders.map(async (order) => {
      await delay(order.atMs);
      return placeOrder(client, order, skus);
    }),
  );
}

async function placeOrder(
  client: EdgeClient,
  planned: PlannedOrder,
  skus: readonly string[],
): Promise<PlacedOrder> {
  const requestId = randomUUID();
  const lines = planned.quantities.flatMap((quantity, index) =>
    quantity === 0 ? [] : [{ sku: skus[index] ?? "", quantity }],
  );
  const request = {
    order: {
      lines,
      paymentToken: planned.token,
      coordination: COORDINATION[planned.mode],
    },
    requestId,
  };
  const names = await Promise.all(
    Array.from({ length: planned.copies }, () =>
      insist(async () => {
        const { order } = await client.orders.createOrder(request);
        return order?.name ?? "";
      }),
    ),
  );
  if (planned.cancelAfterMs !== undefined) {
    await delay(planned.cancelAfterMs);
    await insist(() => cancel(client, names[0] ?? ""));
  }
  return { requestId, names };
}

async function cancel(client: EdgeClient, name: string): Promise<void> {
  try {
    await client.orders.cancelOrder({ name });
  } catch (error) {
    // It is too late to cancel it: an answer.
    if (ConnectError.from(error).code !== Code.FailedPrecondition) throw error;
  }
}

/** Asks again until it is answered, or refused for good. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (const endsAt = performance.now() + PATIENCE_MS; ;) {
    try {
      return await call();
    } catch (error) {
      const mayRepeat = AGAIN.has(ConnectError.from(error).code);
      if (!mayRepeat || performance.now() > endsAt) throw error;
      await delay(100 + Math.random() * 200);
    }
  }
}
