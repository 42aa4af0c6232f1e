import { DBOS } from "@dbos-inc/dbos-sdk";
import { randomUUID } from "node:crypto";
import pg from "pg";
import { inventoryClient } from "../../../services/order/clients/inventory.ts";
import { paymentClient } from "../../../services/order/clients/payment.ts";
import { place, type Order } from "../../../services/order/domain/order.ts";
import type { Outcome } from "../../../services/order/domain/saga.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import type { BenchMesh } from "./bench-mesh.ts";

const DATABASE = "dbos_bench";

/** Sees one order of this SKU through. */
export type OrderOne = (sku: string) => Promise<void>;

/**
 * The peer: the same four calls to the same services as steps of a DBOS workflow, each of which it makes durable in a
 * database of its own on the same server. It runs in this process, so that starting an order costs it no call.
 */
export async function startDbosPeer(
  world: BenchMesh,
): Promise<AsyncDisposable & { readonly orderOne: OrderOne }> {
  const systemDatabaseUrl = await createDatabase(world);
  const inventory = inventoryClient(world.asOrder("inventory"));
  const payment = paymentClient(world.asOrder("payment"));

  const orderOne = DBOS.registerWorkflow(
    async (id: string, sku: string): Promise<void> => {
      const order = newOrder(id, sku);
      const total = await DBOS.runStep(
        async () => totalOf(await inventory.reserve(order)),
        { name: "reserve" },
      );
      const priced: Order = {
        ...order,
        total: {
          currency: total.currency,
          minorUnits: BigInt(total.minorUnits),
        },
      };
      await DBOS.runStep(async () => done(await payment.authorize(priced)), {
        name: "authorize",
      });
      await DBOS.runStep(async () => done(await inventory.confirm(order)), {
        name: "confirm",
      });
      await DBOS.runStep(async () => done(await payment.capture(order)), {
        name: "capture",
      });
    },
    { name: "order" },
  );
  DBOS.setConfig({ name: "weft-bench", systemDatabaseUrl, logLevel: "error" });
  await DBOS.launch();
  return {
    async orderOne(sku) {
      const handle = await DBOS.startWorkflow(orderOne, {
        workflowID: randomUUID(),
      })(newId(), sku);
      await handle.getResult();
    },
    [Symbol.asyncDispose]: () => DBOS.shutdown(),
  };
}

async function createDatabase({ mesh }: BenchMesh): Promise<string> {
  const admin = new pg.Client({
    connectionString: mesh.components.postgres.url,
  });
  await admin.connect();
  try {
    await admin.query(`create database ${DATABASE}`);
  } finally {
    await admin.end();
  }
  const url = new URL(mesh.components.postgres.url);
  url.pathname = `/${DATABASE}`;
  return url.href;
}

function newOrder(id: string, sku: string): Order {
  const command = {
    tenant: "demo",
    customer: "bench",
    lines: [{ sku, quantity: 1 }],
    expectedTotal: undefined,
    paymentToken: "tok_visa",
    coordination: "orchestrated" as const,
  };
  return place(command, { id, at: new Date() });
}

/** JSON has no bigint. */
function totalOf(outcome: Outcome): { currency: string; minorUnits: string } {
  if (outcome.kind !== "reserved") throw new Error(`reserve: ${outcome.kind}`);
  const { currency, minorUnits } = outcome.total;
  return { currency, minorUnits: minorUnits.toString() };
}

function done(outcome: Outcome): void {
  if (outcome.kind !== "done") throw new Error(`a step is ${outcome.kind}`);
}
