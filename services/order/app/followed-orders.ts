import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { sleep } from "../../platform/data/backoff.ts";
import type { Database } from "../../platform/data/database.ts";
import { runDetached } from "../../platform/rpc/call-scope.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Order } from "../domain/order.ts";
import { findUnderWay } from "../store/due-orders.ts";

/** The orders that this process let in for events to drive: no driver is kept for them, so they have a bound of their own. */
export interface FollowedOrders {
  /** A place for one more; undefined where none is left. */
  reserve(): FollowedPlace | undefined;
  /** Ends when the process stops. */
  readonly done: Promise<void>;
}

export interface FollowedPlace extends Disposable {
  /** Keeps the place, once the order is stored, until it is settled. Without that, disposing of it frees it. */
  follow(order: Order): void;
}

export interface FollowOrdersDeps {
  readonly db: Database;
  readonly logger: Logger;
}

/** At 400 orders a second, 40 that are settled still count. */
const lookMs = 100;
const lookAfterFailureMs = 1_000;

/**
 * Starts to look after the orders that events drive. Events, drivers, customers and operators of any process settle them, so
 * the database is asked which are: by their ids, at most `limit` of them, and only while there are any.
 */
export function startFollowedOrders(
  { db, logger }: FollowOrdersDeps,
  limit: number,
  stopping: AbortSignal,
): FollowedOrders {
  const underWay = new Set<string>();
  let arriving = 0;

  const look = async (): Promise<number> => {
    const ids = [...underWay];
    try {
      const left = await findUnderWay(db, ids);
      for (const id of ids) if (!left.has(id)) underWay.delete(id);
      return lookMs;
    } catch (error) {
      logger.warn({ err: error }, "followed orders can't be read");
      return lookAfterFailureMs;
    }
  };
  const lookOn = async () => {
    for (let pauseMs = lookMs; !stopping.aborted;) {
      await sleep(pauseMs, stopping).catch(() => undefined);
      pauseMs = underWay.size > 0 ? await look() : lookMs;
    }
  };

  return {
    reserve() {
      if (arriving + underWay.size >= limit) return undefined;
      arriving += 1;
      return {
        follow: ({ id }) => void underWay.add(id),
        [Symbol.dispose]: () => void (arriving -= 1),
      };
    },
    done: runDetached(() => context.with(ROOT_CONTEXT, lookOn)),
  };
}
