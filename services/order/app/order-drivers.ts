import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { untilAborted } from "../../platform/data/until-aborted.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Order } from "../domain/order.ts";
import { overloaded } from "../domain/order-refusals.ts";
import { claimDueOrders, countDueOrders } from "../store/due-orders.ts";
import {
  driveOrder,
  leaseMs,
  twoPhaseLeaseMs,
  type DriveOrderDeps,
} from "./drive-order.ts";
import { startFollowedOrders, type FollowedPlace } from "./followed-orders.ts";
import { inOrderTrace } from "./order-trace.ts";

/** The drivers of this process: each takes one order at a time through its saga. */
export interface OrderDrivers {
  /**
   * A free driver, kept for the caller until it is disposed of; undefined where none is free, or orders wait for one. Since the
   * last refusal, and until the rush is over, the last three of eight drivers take no newcomers either.
   */
  reserve(): ReservedDriver | undefined;
  /**
   * A place for an order that has to wait for a driver, kept until it is disposed of: by then the order is stored, or
   * never will be. What is accepted is settled soon, and whoever is refused knows it at once.
   *
   * @throws DomainError OVERLOADED, with a retry time, where no place is left.
   */
  admitWaiting(): Disposable;
  /**
   * A place for an order that events will drive, kept until it is settled: orders that come faster than events settle them
   * would all become late, and then take the drivers too. None is left where no more orders may wait for a driver.
   *
   * @throws DomainError OVERLOADED, with a retry time, where no place is left.
   */
  admitFollowed(): FollowedPlace;
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
  /** Orders that may wait for a driver at most, as this process knows; the next ones are refused. */
  readonly maxWaiting: number;
  /** Orders that this process leaves to events at most, until they are settled; the next ones are refused. */
  readonly maxFollowed: number;
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
  const followed = startFollowedOrders(deps, options.maxFollowed, stopping);
  const bell = createWakeUp();
  let free = options.limit;
  /** Whether more orders may be due than drivers were free. */
  let isBacklog = false;
  /** Stored orders that wait for a driver: as last counted, and those that came since. */
  let waiting = 0;
  /** Orders that will wait and are just being stored. */
  let arriving = 0;
  /**
   * Since an order was refused. A full house is right for as many as come; where more come, whoever is let in shares the machine
   * with all refusals, and fewer at a time get through sooner, as many a second.
   */
  let isRush = false;

  const release = (drivers: number) => {
    free += drivers;
    if (options.limit - free < options.limit * RUSH_OVER) isRush = false;
    if (isBacklog && drivers > 0) {
      bell.ring();
    }
  };
  const kept = (): number =>
    isRush ? Math.floor(options.limit * (1 - RUSH_SHARE)) : 0;
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
    // A free driver takes it at once: it keeps no newcomer from the others.
    if (free === 0) waiting += 1;
    isBacklog = true;
    bell.ring();
  };
  const claim = async () => {
    // A quarter at a time, so that a look at the database leaves drivers for the calls that come meanwhile.
    const wanted = Math.min(free, Math.ceil(options.limit / 4));
    if (wanted === 0) {
      waiting = await countWaiting(deps, waiting, options.maxWaiting);
      return;
    }
    free -= wanted;
    isBacklog = false;
    const due = await claimOrders(deps, wanted);
    due.forEach(({ order, traceparent }) => start(order, traceparent));
    isBacklog ||= due.length === wanted;
    waiting = isBacklog ? Math.max(0, waiting - due.length) : 0;
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
      // Orders that wait were there first: a newcomer that passed them would make their wait as long as the rush.
      if (free <= kept() || waiting > 0 || stopping.aborted) {
        return undefined;
      }
      free -= 1;
      return reservedDriver(start, () => release(1));
    },
    admitWaiting() {
      if (waiting + arriving >= options.maxWaiting) {
        isRush = true;
        throw overloaded(retryAfterMs);
      }
      arriving += 1;
      return { [Symbol.dispose]: () => void (arriving -= 1) };
    },
    admitFollowed() {
      const isFull = waiting > 0 && waiting >= options.maxWaiting;
      const place = isFull ? undefined : followed.reserve();
      if (!place) throw overloaded(retryAfterMs);
      return place;
    },
    driven: async (id) => byOrder.get(id),
    wake,
    async done(hurry) {
      const ended = Promise.all([polling, followed.done]);
      const end = ended.then(() => Promise.all(running));
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

/** Of the drivers, those that take newcomers in a rush. */
const RUSH_SHARE = 5 / 8;
/** A rush is over when fewer of the drivers are at work. */
const RUSH_OVER = 1 / 4;

/** About as long as a full house takes to be served. */
const retryAfterMs = 1_000;

/** How many orders are due, counted no further than it matters. */
async function countWaiting(
  deps: DriveOrderDeps,
  known: number,
  limit: number,
): Promise<number> {
  try {
    return await countDueOrders(deps.db, deps.now(), limit);
  } catch (error) {
    deps.logger.warn({ err: error }, "due orders can't be counted");
    return known;
  }
}

/** Takes due orders under a lease; none where the database does not answer, as the next look comes soon. */
async function claimOrders(deps: DriveOrderDeps, limit: number) {
  const now = deps.now();
  const leases = {
    choreographed: new Date(now.getTime() + leaseMs),
    orchestrated: new Date(now.getTime() + leaseMs),
    two_phase_commit: new Date(now.getTime() + twoPhaseLeaseMs),
  };
  try {
    return await claimDueOrders(deps.db, now, leases, limit);
  } catch (error) {
    deps.logger.warn({ err: error }, "due orders can't be read");
    return [];
  }
}
