import { Code, ConnectError } from "@connectrpc/connect";
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
  const outcomes = await Promise.allSettled(
    Array.from({ length: REQUESTS }, () => orders.createOrder(request, asUser)),
  );
  const answers = outcomes.flatMap((outcome) => {
    if (outcome.status === "fulfilled") return [outcome.value];
    // It came while another one was in flight, and was told to come back.
    if (ConnectError.from(outcome.reason).code === Code.Aborted) return [];
    throw outcome.reason;
  });
  const names = new Set(answers.map(({ order }) => order?.name ?? ""));
  const money = await moneyByOrder(mesh.paymentProviderUrl);
  const charges = [...names].reduce(
    (sum, name) => sum + (money.get(name)?.captures ?? 0),
    0,
  );
  return { requests: REQUESTS, orders: names.size, charges };
}
