import { createHash } from "node:crypto";
import type { Database } from "../../platform/data/database.ts";
import { requestIdReused } from "../domain/order-refusals.ts";
import { place, type Order, type PlaceOrder } from "../domain/order.ts";
import {
  findOrderOfRequest,
  insertOrder,
  type OrderOrigin,
} from "../store/orders.ts";
import type { Announce } from "./announce.ts";
import { leaseMs } from "./drive-order.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";
import { traceparentNow } from "./order-trace.ts";

export interface PlaceOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly drivers: OrderDrivers;
  readonly changes: OrderChanges;
  readonly newId: () => string;
  readonly now: () => Date;
}

/**
 * Places an order: from the commit on it goes on by itself, whatever becomes of the caller or of this process. The same
 * request id with the same order returns the order that exists, as it stands.
 *
 * @throws DomainError REQUEST_ID_REUSED.
 */
export async function placeOrder(
  deps: PlaceOrderDeps,
  command: PlaceOrder,
  requestId: string | undefined,
): Promise<Order> {
  const at = deps.now();
  const order = place(command, { id: deps.newId(), at });
  const requestHash = hashOf(command);
  using driver = deps.drivers.reserve();
  const origin: OrderOrigin = {
    requestId,
    requestHash,
    traceparent: traceparentNow(),
    // Where no driver is free the order is due at once, for the first that is.
    dueAt: driver ? new Date(at.getTime() + leaseMs) : at,
  };
  const isNew = await deps.db.transaction(async (tx) => {
    const isInserted = await insertOrder(tx, order, origin);
    if (isInserted) {
      await deps.announce(tx, { type: "OrderPlaced", order });
    }
    return isInserted;
  });
  if (!isNew) {
    return await repeated(deps, command.tenant, requestId, requestHash);
  }
  deps.changes.wake();
  if (driver) {
    driver.drive(order);
  } else {
    deps.drivers.wake();
  }
  return order;
}

async function repeated(
  deps: PlaceOrderDeps,
  tenant: string,
  requestId: string | undefined,
  requestHash: Buffer,
): Promise<Order> {
  const known =
    requestId && (await findOrderOfRequest(deps.db, tenant, requestId));
  if (!known) {
    throw new Error(
      "an order was refused as a repeated one, but there is none",
    );
  }
  if (!known.requestHash.equals(requestHash)) {
    throw requestIdReused(requestId);
  }
  return known.order;
}

/** What makes two requests the same: all that the caller ordered, not when or under which trace. */
function hashOf(command: PlaceOrder): Buffer {
  const { customer, lines, expectedTotal, paymentToken } = command;
  const content = [
    customer,
    lines.map(({ sku, quantity }) => [sku, quantity]),
    expectedTotal?.currency,
    expectedTotal?.minorUnits.toString(),
    paymentToken,
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest();
}
