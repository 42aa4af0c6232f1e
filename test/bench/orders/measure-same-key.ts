import { randomUUID } from "node:crypto";
import { moneyByOrder } from "../../support/provider-log.ts";
import type { BenchMesh } from "./bench-mesh.ts";

const REQUESTS = 100;

export interface SameKey {
  readonly requests: number;
  readonly orders: number;
  readonly charges: number;
}

/** A hundred requests with one request id, at once. */
export async function measureSameKey(
  { mesh, orders, asUser }: BenchMesh,
  sku: string,
): Promise<SameKey> {
  const request = {
    order: { lines: [{ sku, quantity: 1 }], paymentToken: "tok_visa" },
    requestId: randomUUID(),
    wait: true,
  };
  const answers = await Promise.all(
    Array.from({ length: REQUESTS }, () => orders.createOrder(request, asUser)),
  );
  const names = new Set(answers.map(({ order }) => order?.name ?? ""));
  const money = await moneyByOrder(mesh.paymentProviderUrl);
  const charges = [...names].reduce(
    (sum, name) => sum + (money.get(name)?.captures ?? 0),
    0,
  );
  return { requests: REQUESTS, orders: names.size, charges };
}
