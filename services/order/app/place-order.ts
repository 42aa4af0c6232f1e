import { createHash } from "node:crypto";
import type { Database } from "../../platform/data/database.ts";
import type { KeyRow } from "../../platform/data/key-rows.ts";
import type { Transaction } from "../../platform/data/transaction.ts";
import { requestIdReused } from "../domain/order-refusals.ts";
import { place, type Order, type PlaceOrder } from "../domain/order.ts";
import {
  findOrderOfRequest,
  insertOrder,
  type OrderOrigin,
} from "../store/orders.ts";
import type { Announce, AnnounceRow } from "./announce.ts";
import { eventDeadlineMs, leaseMsOf } from "./drive-order.ts";
import type { OrderBatches } from "./order-batches.ts";
import type { OrderChanges } from "./order-changes.ts";
import type { OrderDrivers } from "./order-drivers.ts";
import { traceparentNow } from "./order-trace.ts";

/** How the request that places an order is known again. */
export interface RequestName {
  readonly id: string;
  /** An earlier attempt was cut off, and may have placed the order. */
  readonly isResumed: boolean;
  /** Takes the name, or stores the answer with it, in the transaction of the order. Throws where it is taken. */
  take(tx: Transaction, order: Order): Promise<void>;
  /** The same for a batch: the row that takes the name. Undefined where that needs a transaction. */
  rowFor(order: Order): KeyRow | undefined;
  isTaken(row: KeyRow): void;
}

export interface PlaceOrderDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly announceRow: AnnounceRow;
  readonly batches: OrderBatches;
  readonly drivers: OrderDrivers;
  readonly changes: OrderChanges;
  readonly newId: () => string;
  readonly now: () => Date;
}

/**
 * Places an order: from the commit on it goes on by itself, whatever becomes of the caller or of this process. A
 * request id places one order: the platform gives its first answer again, and long after that the order as it stands.
 *
 * @throws DomainError REQUEST_ID_REUSED; OVERLOADED where too many orders are under way: nothing is stored then.
 */
export async function placeOrder(
  deps: PlaceOrderDeps,
  command: PlaceOrder,
  request: RequestName | undefined,
): Promise<Order> {
  if (request?.isResumed) {
    const known = await placedBefore(deps, command, request, hashOf(command));
    if (known) return known;
  }
  const name = request && `${command.tenant}/${request.id}`;
  // A repeat finds its key taken, so it takes no place from an order that needs one.
  const isRepeat = name !== undefined && deps.batches.names.has(name);
  // A choreographed order is driven by events, and by nobody else until one is late.
  const isDriven = command.coordination !== "choreographed";
  using driver = isRepeat || !isDriven ? undefined : deps.drivers.reserve();
  using followed =
    isRepeat || isDriven ? undefined : deps.drivers.admitFollowed();
  using _ =
    isRepeat || followed || driver ? undefined : deps.drivers.admitWaiting();
  // All work comes after the admission: a refusal has to be cheap, or a flood of them takes the time of those who are in.
  const at = deps.now();
  const order = place(command, { id: deps.newId(), at });
  const requestHash = hashOf(command);
  const origin: OrderOrigin = {
    requestId: request?.id,
    requestHash,
    traceparent: traceparentNow(),
    dueAt: dueAtOf(order, driver !== undefined, at),
  };
  const isNew = await remember(deps, isRepeat ? undefined : name, order, () =>
    insertNew(deps, order, origin, request),
  );
  if (!isNew) {
    // Its first answer is forgotten by now, the order is not.
    const known = await placedBefore(deps, command, request, requestHash);
    if (known) return known;
    throw new Error(
      "an order was refused as a repeated one, and there is none",
    );
  }
  deps.changes.wake();
  followed?.follow(order);
  if (driver) {
    driver.drive(order);
  } else if (isDriven) {
    deps.drivers.wake();
  }
  return order;
}

/** Where no driver is free the order is due at once, for the first that is; one that events drive, when they are late. */
function dueAtOf(order: Order, hasDriver: boolean, at: Date): Date {
  if (order.coordination === "choreographed") {
    return new Date(at.getTime() + eventDeadlineMs);
  }
  return hasDriver ? new Date(at.getTime() + leaseMsOf(order)) : at;
}

/** Keeps the request's name while its order is stored, and then while it is driven here. */
async function remember(
  { batches, drivers }: PlaceOrderDeps,
  name: string | undefined,
  order: Order,
  store: () => Promise<boolean>,
): Promise<boolean> {
  if (name === undefined) return store();
  batches.names.add(name);
  try {
    return await store();
  } finally {
    // The driver starts in this turn.
    setImmediate(() => {
      void drivers.driven(order.id).finally(() => batches.names.delete(name));
    });
  }
}

/** False where the request id has placed an order before; then nothing is stored. */
async function insertNew(
  deps: PlaceOrderDeps,
  order: Order,
  origin: OrderOrigin,
  request: RequestName | undefined,
): Promise<boolean> {
  const alone = () => insertAlone(deps, order, origin, request);
  const key = request?.rowFor(order);
  // The name is held since an earlier attempt.
  if (request && !key) return alone();

  const event = deps.announceRow({ type: "OrderPlaced", order });
  let isAlone = false;
  const isNew = await deps.batches.insert.submit({
    order,
    origin,
    event,
    key,
    alone() {
      isAlone = true;
      return alone();
    },
  });
  if (key && !isAlone) request?.isTaken(key);
  return isNew;
}

async function insertAlone(
  deps: PlaceOrderDeps,
  order: Order,
  origin: OrderOrigin,
  request: RequestName | undefined,
): Promise<boolean> {
  try {
    await deps.db.transaction(async (tx) => {
      await request?.take(tx, order);
      if (!(await insertOrder(tx, order, origin))) throw new PlacedBefore();
      await deps.announce(tx, { type: "OrderPlaced", order });
    });
    return true;
  } catch (error) {
    if (error instanceof PlacedBefore) return false;
    throw error;
  }
}

/** Rolls back: what the transaction took must not stay. */
class PlacedBefore extends Error {
  override readonly name = "PlacedBefore";
}

async function placedBefore(
  deps: PlaceOrderDeps,
  { tenant }: PlaceOrder,
  request: RequestName | undefined,
  requestHash: Buffer,
): Promise<Order | undefined> {
  const known =
    request && (await findOrderOfRequest(deps.db, tenant, request.id));
  if (known && !known.requestHash.equals(requestHash)) {
    throw requestIdReused(request.id);
  }
  return known?.order;
}

/** What makes two requests the same: all that the caller ordered, not when or under which trace. */
function hashOf(command: PlaceOrder): Buffer {
  const { customer, lines, expectedTotal, paymentToken, coordination } =
    command;
  const content = [
    customer,
    lines.map(({ sku, quantity }) => [sku, quantity]),
    expectedTotal?.currency,
    expectedTotal?.minorUnits.toString(),
    paymentToken,
    // Left out where it is the usual one, so that requests from before there was a choice are known again.
    ...(coordination === "orchestrated" ? [] : [coordination]),
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest();
}
