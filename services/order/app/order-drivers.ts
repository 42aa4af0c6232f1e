import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { setTimeout as sleep } from "node:timers/promises";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Order } from "../domain/order.ts";
import { claimDueOrders } from "../store/orders.ts";
import {
  driveOrder,
  inOrderTrace,
  leaseMs,
  type DriveOrderDeps,
} from "./drive-order.ts";

/** The drivers of this process: each takes one order at a time through its saga. */
export interface OrderDrivers {
  /** Whether a driver is free for one more order now. */
  hasRoom(): boolean;
  /** Drives an order whose lease this process holds, after the answer to its caller. */
  start(order: Order): void;
  /** Ends when the drivers were told to stop and the steps under way are stored, or at `hurry`. */
  done(hurry: AbortSignal): Promise<void>;
}

export interface OrderDriversOptions {
  /** Orders at a time at most. */
  readonly limit: number;
  /** How often to look for orders that nobody drives. */
  readonly pollMs: number;
}

/**
 * Starts the drivers. Orders come in two ways: straight from the call that placed them, and from the database, where
 * those that were left behind by a process that died, or wait for their next attempt, become due.
 */
export function startOrderDrivers(
  deps: DriveOrderDeps,
  options: OrderDriversOptions,
  signal: AbortSignal,
): OrderDrivers {
  const running = new Set<Promise<void>>();

  const start = (order: Order, traceparent?: string): void => {
    const drive = inOrderTrace(order, traceparent, () =>
      driveOrder(deps, order, signal),
    );
    const run = drive.then(
      () => {},
      // The order's lease runs out and it becomes due again: nothing is lost but time.
      (error: unknown) =>
        deps.logger.error({ err: error, order: order.id }, "driving failed"),
    );
    running.add(run);
    void run.then(() => running.delete(run));
  };
  const drivers = {
    hasRoom: () => running.size < options.limit && !signal.aborted,
    start: (order: Order) => runDetached(() => start(order)),
  };
  const polling = runDetached(() =>
    context.with(ROOT_CONTEXT, () =>
      takeUpDueOrders(deps, options, signal, drivers.hasRoom, start),
    ),
  );
  return {
    ...drivers,
    async done(hurry) {
      const end = Promise.all([polling, ...running]);
      const bound = new Promise((resolve) =>
        hurry.addEventListener("abort", resolve, { once: true }),
      );
      await Promise.race([end, bound]);
    },
  };
}

async function takeUpDueOrders(
  deps: DriveOrderDeps,
  options: OrderDriversOptions,
  signal: AbortSignal,
  hasRoom: () => boolean,
  start: (order: Order, traceparent?: string) => void,
): Promise<void> {
  const batch = Math.min(options.limit, 50);
  while (!signal.aborted) {
    try {
      while (hasRoom()) {
        const now = deps.now();
        const lease = new Date(now.getTime() + leaseMs);
        const due = await claimDueOrders(deps.db, now, lease, batch);
        for (const { order, traceparent } of due) {
          start(order, traceparent);
        }
        if (due.length < batch) {
          break;
        }
      }
    } catch (error) {
      deps.logger.warn({ err: error }, "due orders can't be read");
    }
    const pauseMs = options.pollMs * (0.5 + Math.random());
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}
