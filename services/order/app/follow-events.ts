import type { Context } from "@opentelemetry/api";
import type { Transaction } from "../../platform/data/transaction.ts";
import { followed, type Fact } from "../domain/choreography.ts";
import { eventOf } from "../domain/order-event.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { lockOrdersById, type LockedOrder } from "../store/orders.ts";
import {
  updateOrdersTogether,
  type Due,
  type NextOrder,
} from "../store/update-together.ts";
import type { AnnounceRow } from "./announce.ts";
import { eventDeadlineMs } from "./drive-order.ts";
import type { OrderDrivers } from "./order-drivers.ts";

export interface FollowEventsDeps {
  readonly announceRow: AnnounceRow;
  /** Wakes whoever waits for events and changes. */
  readonly wake: () => void;
  readonly drivers: Pick<OrderDrivers, "wake">;
  readonly now: () => Date;
}

/** What an event of another service tells of an order, and the trace that it belongs to. */
export interface News {
  readonly orderId: string;
  readonly fact: Fact;
  readonly cause: Context;
}

/**
 * Moves choreographed orders to where events of other services put them, several events of one order one after the other.
 * One that is not known is left alone.
 */
export async function followEvents(
  deps: FollowEventsDeps,
  tx: Transaction,
  news: readonly News[],
): Promise<void> {
  const at = deps.now();
  const newsOf = Map.groupBy(news, ({ orderId }) => orderId);
  const locked = await lockOrdersById(tx, [...newsOf.keys()]);
  const versions = locked.map((each) =>
    nextVersions(deps, each, newsOf.get(each.order.id) ?? [], at),
  );
  // The first new version of each, then the second: a statement takes one of an order.
  for (let round = 0; ; round += 1) {
    const next = versions.flatMap((each) => each[round] ?? []);
    if (next.length === 0) break;
    await updateOrdersTogether(tx, next);
  }
  const last = versions.flatMap((each) => each.at(-1) ?? []);
  if (last.length === 0) return;
  tx.onCommit(() => {
    deps.wake();
    if (last.some(({ due }) => due === at)) deps.drivers.wake();
  });
}

function nextVersions(
  deps: FollowEventsDeps,
  locked: LockedOrder,
  news: readonly News[],
  at: Date,
): NextOrder[] {
  const next: NextOrder[] = [];
  let { order } = locked;
  for (const { fact, cause } of news) {
    const before = order;
    for (const version of followed(before, fact, at)) {
      const event =
        version.state === order.state ? undefined : eventOf(version);
      next.push({
        order: version,
        versionBefore: order.version,
        decides: false,
        due: dueOf(version, before, locked.dueAt, at),
        event: event && deps.announceRow(event, cause),
      });
      order = version;
    }
  }
  return next;
}

/**
 * A payment is let go at once, by a driver, as all is of an order that its customer cancels. One whose money was taken
 * before its prices were known has had its last event: a driver asks for them, and for the money once they are there. To
 * all others the next event has time to come.
 */
function dueOf(
  order: Order,
  before: Order,
  dueBefore: Date | undefined,
  at: Date,
): Due {
  if (isSettled(order)) return undefined;
  const isLettingGo = order.undo[0] === "void" || order.state === "cancelling";
  if (isLettingGo || isUnpriced(order) || isUnpriced(before)) return at;
  return inAWhile(dueBefore, at);
}

/** As it was, where that is about the same. */
function inAWhile(dueBefore: Date | undefined, at: Date): Due {
  const left = dueBefore ? dueBefore.getTime() - at.getTime() : 0;
  const isNear = left <= eventDeadlineMs && left > 0.8 * eventDeadlineMs;
  return isNear ? "kept" : new Date(at.getTime() + eventDeadlineMs);
}

function isUnpriced({ state, total }: Order): boolean {
  return state === "confirmed" && total === undefined;
}
