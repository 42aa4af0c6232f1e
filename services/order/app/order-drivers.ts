import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Order } from "../domain/order.ts";
import { claimDueOrders } from "../store/due-orders.ts";
import { driveOrder, leaseMs, type DriveOrderDeps } from "./drive-order.ts";
import { inOrderTrace } from "./order-trace.ts";

/** The drivers of this process: each takes one order at a time through its saga. */
export interface OrderDrivers {
  /** A free driver, kept for the caller until it is disposed of; undefined where none is free. */
  reserve(): ReservedDriver | undefined;
  /** The order as far as the driver of this process gets it; undefined where none has it, or it fails. */
  driven(id: string): Promise<Order | undefined>;
  /** An order has become due: a driver looks as soon as one is free. */
  wake(): void;
  /** Ends when the drivers were told to stop and the steps under way are stored, or at `hurry`. */
  done(hurry: AbortSignal): Promise<void>;
}

export interface ReservedDriver extends Disposable {
  /** Drives an order whose lease this process holds, after the answer to its caller. At most once. */
  drive(order: Order): void;
}

export interface OrderDriversOptions {
  /** Orders at a time at most. */
  readonly limit: number;
  /** How often to look for orders that nobody drives. */
  readonly pollMs: number;
}

/**
 * Starts the drivers. Orders come in two ways: straight from the call that placed them, and from the database, where
 * those that found no driver free, were left behind by a process that died, or wait for their next attempt, become due.
 */
export function startOrderDrivers(
  deps: DriveOrderDeps,
  options: OrderDriversOptions,
  stopping: AbortSignal,
): OrderDrivers {
  const running = new Set<Promise<Order | undefined>>();
  const byOrder = new Map<string, Promise<Order | undefined>>();
  const bell = createWakeUp();
  let free = options.limit;
  /** Whether more orders may be due than drivers were free. */
  let isBacklog = false;

  const release = (drivers: number) => {
    free += drivers;
    if (isBacklog && drivers > 0) {
      bell.ring();
    }
  };
  const start = (order: Order, traceparent?: string): void => {
    const drive = inOrderTrace(order, traceparent, () =>
      driveOrder(deps, order, stopping),
    );
    const run = drive
      .catch((error: unknown): undefined => {
        // The order's lease runs out and it becomes due again: nothing is lost but time.
        deps.logger.error({ err: error, order: order.id }, "driving failed");
      })
      .finally(() => {
        running.delete(run);
        // Not where the order was taken up once more meanwhile.
        if (byOrder.get(order.id) === run) byOrder.delete(order.id);
        release(1);
      });
    running.add(run);
    byOrder.set(order.id, run);
  };
  const wake = () => {
    isBacklog = true;
    bell.ring();
  };
  const claim = async () => {
    // A quarter at a time, so that a look at the database leaves drivers for the calls that come meanwhile.
    const wanted = Math.min(free, Math.ceil(options.limit / 4));
    if (wanted === 0) {
      return;
    }
    free -= wanted;
    isBacklog = false;
    const due = await claimOrders(deps, wanted);
    due.forEach(({ order, traceparent }) => start(order, traceparent));
    isBacklog ||= due.length === wanted;
    release(wanted - due.length);
    if (isBacklog && free > 0) {
      bell.ring();
    }
  };
  const poll = async () => {
    while (!stopping.aborted) {
      await claim();
      await bell.wait(options.pollMs * (0.5 + Math.random()), stopping);
    }
  };
  const polling = runDetached(() => context.with(ROOT_CONTEXT, poll));

  return {
    reserve() {
      if (free === 0 || stopping.aborted) {
        return undefined;
      }
      free -= 1;
      return reservedDriver(start, () => release(1));
    },
    driven: async (id) => byOrder.get(id),
    wake,
    async done(hurry) {
      const end = polling.then(() => Promise.all(running));
      await untilAborted(end, hurry).catch(() =>
        deps.logger.warn({ orders: running.size }, "steps are left unfinished"),
      );
    },
  };
}

function reservedDriver(
  start: (order: Order) => void,
  release: () => void,
): ReservedDriver {
  let isFree = true;
  return {
    drive(order) {
      isFree = false;
      runDetached(() => start(order));
    },
    [Symbol.dispose]() {
      if (isFree) {
        isFree = false;
        release();
      }
    },
  };
}

/** Takes due orders under a lease; none where the database does not answer, as the next look comes soon. */
async function claimOrders(deps: DriveOrderDeps, limit: number) {
  const now = deps.now();
  const lease = new Date(now.getTime() + leaseMs);
  try {
    return await claimDueOrders(deps.db, now, lease, limit);
  } catch (error) {
    deps.logger.warn({ err: error }, "due orders can't be read");
    return [];
  }
}
