import type { Executor } from "../../platform/data/executor.ts";
import { orderNotFound } from "../domain/order-refusals.ts";
import type { Order } from "../domain/order.ts";
import { oldestFirst, type TimelineEntry } from "../domain/timeline.ts";
import { findTimeline } from "../store/order-timeline.ts";
import { findOrder } from "../store/orders.ts";

export interface GetOrderDeps {
  readonly db: Executor;
}

/**
 * Returns an order of the tenant with the events that came back from Kafka.
 *
 * @throws DomainError ORDER_NOT_FOUND.
 */
export async function getOrder(
  deps: GetOrderDeps,
  tenant: string,
  id: string,
): Promise<{ order: Order; timeline: readonly TimelineEntry[] }> {
  const order = await findOrder(deps.db, tenant, id);
  if (!order) {
    throw orderNotFound(id);
  }
  return { order, timeline: oldestFirst(await findTimeline(deps.db, id)) };
}
