import { Code, ConnectError } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openShop, type Shop } from "../support/mesh-shop.ts";

const READERS = 16;
const WRITERS = 4;
const SERVICES = ["order", "inventory", "payment"] as const;

it.each(SERVICES)(
  "fails no idempotent call and loses no order while %s is restarted",
  async (service) => {
    using shop = await openShop("gRPC", 100_000n);
    await using load = await startLoad(shop, [Code.Unavailable]);

    await shop.mesh.control.restart(service);
    await load.goOnFor(200);

    const { failures, orders } = await load.stop();
    expect(failures).toEqual([]);
    await expectCompletedOnce(shop, orders);
  },
);

describe("kill -9", () => {
  it.each(SERVICES)(
    "of %s loses no order that was accepted, and the service comes back",
    async (service) => {
      using shop = await openShop("gRPC", 100_000n);
      // A process that dies in the middle of an answer leaves half of one: the edge can but cut it off.
      const again = [Code.Unavailable, Code.Internal];
      await using load = await startLoad(shop, again);
      const before = (await shop.mesh.control.pids())[service];

      await shop.mesh.control.kill(service);
      await eventually(
        `${service} runs again`,
        async () => {
          const pid = (await shop.mesh.control.pids())[service];
          return pid !== undefined && pid !== before;
        },
        30_000,
      );
      await load.goOnFor(200);

      // A call that was being served when its process died may fail; an order that was accepted may not.
      const { orders } = await load.stop();
      await expectCompletedOnce(shop, orders);
    },
  );
});

interface Load extends AsyncDisposable {
  /** Resolves when so many more calls have been answered. */
  readonly goOnFor: (calls: number) => Promise<void>;
  readonly stop: () => Promise<LoadResult>;
}

interface LoadResult {
  /** Each kind of failure of an idempotent call, with its number. */
  readonly failures: readonly string[];
  /** The names of the orders that were accepted: one for each request id that was used. */
  readonly orders: readonly string[];
}

/**
 * 20 callers, each of which calls again as soon as it is answered, until they are stopped. A CreateOrder that fails with one
 * of `again` is sent again with its request id; the others are tried once.
 */
async function startLoad(shop: Shop, again: readonly Code[]): Promise<Load> {
  const { name } = await shop.settled(shop.order(1));
  const { orders, inventory, payments } = shop.client;
  const payment = name.replace("orders/", "payments/");
  const reads = [
    () => orders.getOrder({ name }),
    () => inventory.listProducts({ pageSize: 5 }),
    () => payments.getPayment({ name: payment }),
    () => inventory.getProduct({ name: `products/${shop.sku}` }),
  ];
  const stopped = new AbortController();
  const failures = new Map<string, number>();
  const accepted: string[] = [];
  let answered = 0;

  const read = async (caller: number): Promise<void> => {
    for (let turn = caller; !stopped.signal.aborted; turn++) {
      try {
        await reads[turn % reads.length]?.();
        answered += 1;
      } catch (error) {
        const failure = `${turn % reads.length}: ${String(error)}`;
        failures.set(failure, (failures.get(failure) ?? 0) + 1);
      }
    }
  };
  const write = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      accepted.push(await createUntilAnswered(shop, again));
      answered += 1;
    }
  };
  const callers = Promise.all([
    ...Array.from({ length: READERS }, (_, caller) => read(caller)),
    ...Array.from({ length: WRITERS }, write),
  ]);
  // A caller that fails is told of by `stop`.
  callers.catch(() => undefined);

  const goOnFor = (calls: number) => {
    const goal = answered + calls;
    return eventually("the load goes on", () => answered >= goal, 30_000);
  };
  const stop = async () => {
    stopped.abort();
    await callers;
    const told = [...failures].map(([what, times]) => `${times} x ${what}`);
    return { failures: told, orders: accepted };
  };
  await goOnFor(100);
  return {
    goOnFor,
    stop,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      // Whoever asked for the result was told of a caller that failed.
      await callers.catch(() => undefined);
    },
  };
}

/** The edge leaves it to the client to send a CreateOrder again: only a request id makes that safe. */
async function createUntilAnswered(
  shop: Shop,
  again: readonly Code[],
): Promise<string> {
  // Waiting for the end keeps the load in step with the mesh, however slow the machine is.
  const more = { requestId: randomUUID(), wait: true };
  const request = shop.order(1, "tok_visa", more);
  for (const endsAt = performance.now() + 30_000; ;) {
    try {
      const { order } = await shop.client.orders.createOrder(request);
      return order?.name ?? "";
    } catch (error) {
      const { code } = ConnectError.from(error);
      // The one before is in flight, until the lease of a killed process runs out.
      const isInFlight = code === Code.Aborted;
      const mayRepeat = isInFlight || again.includes(code);
      if (!mayRepeat || performance.now() > endsAt) throw error;
      if (isInFlight) await delay(100);
    }
  }
}

/** Two orders for one request id would show as more units sold than orders answered. */
async function expectCompletedOnce(
  shop: Shop,
  orders: readonly string[],
): Promise<void> {
  expect(orders.length).toBeGreaterThan(0);
  for (const name of orders) {
    await shop.until(State.COMPLETED, name);
  }
  // One more: the order that the load reads.
  const sold = BigInt(orders.length) + 1n;
  expect(await shop.stock()).toMatchObject({ reserved: 0n, sold });
}
