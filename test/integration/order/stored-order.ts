import { place, type Order } from "../../../services/order/domain/order.ts";
import { insertOrder } from "../../../services/order/store/orders.ts";
import type { Executor } from "../../../services/platform/data/executor.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";

/** Stores an order of one mug that was just placed, without a service. */
export async function storeOrder(
  db: Executor,
  {
    at,
    dueAt = at,
    ...of
  }: Pick<Order, "tenant" | "coordination"> & { at: Date; dueAt?: Date },
): Promise<Order> {
  const order = place(
    {
      ...of,
      customer: "ada",
      lines: [{ sku: "mug", quantity: 1 }],
      expectedTotal: undefined,
      paymentToken: "tok_visa",
    },
    { id: newId(), at },
  );
  await insertOrder(db, order, {
    requestId: undefined,
    requestHash: Buffer.alloc(32),
    traceparent: undefined,
    dueAt,
  });
  return order;
}
