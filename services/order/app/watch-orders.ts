import type { Database } from "../../platform/data/database.ts";
import { createWakeUp } from "../../platform/events/wake-up.ts";
import {
  tokenRefusal,
  type PageTokens,
} from "../../platform/rpc/page-token.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import { orderNotFound } from "../domain/order-refusals.ts";
import { isSettled, type Order } from "../domain/order.ts";
import { findOrder } from "../store/orders.ts";
import {
  changesAfter,
  isAtOrBefore,
  type ChangeCursor,
  type OrderChange,
} from "../store/order-changes.ts";
import { readLog } from "../store/order-log.ts";
import {
  isLost,
  moveOn,
  positionOf,
  positionOfToken,
  resumeTokenOf,
  type LogPosition,
} from "./log-position.ts";
import type { OrderChanges } from "./order-changes.ts";

export interface WatchOrdersDeps {
  readonly db: Database;
  readonly changes: OrderChanges;
  readonly heartbeatMs: number;
  readonly resumeTokens: PageTokens;
}

/** One thing that a watch tells. */
export type WatchEvent = (
  | { readonly kind: "order"; readonly order: Order }
  | { readonly kind: "heartbeat" }
) & {
  /** Goes on after this event. Empty where there is nothing to go on with. */
  readonly resumeToken: string;
};

/** Orders that have changed and are not yet told to one watcher; a slow one that falls further behind is let go. */
const backlogLimit = 10_000;
const batch = 500;

/**
 * Tells every change of a tenant's orders from now on, or from `resumeToken` on, until `signal` aborts. Changes of an order
 * that come faster than the watcher reads become one: what it is told is always the newest.
 *
 * @throws DomainError RESUME_TOKEN_INVALID, RESUME_TOKEN_EXPIRED where changes after the token are forgotten, OVERLOADED
 * where the watcher falls too far behind.
 */
export async function* watchOrders(
  deps: WatchOrdersDeps,
  tenant: string,
  resumeToken: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let position = await startOf(deps, tenant, resumeToken);
  const token = () => resumeTokenOf(deps.resumeTokens, tenant, position);
  const isResumed = resumeToken !== "";
  if (isResumed) {
    // Most of it before anything new has to be kept meanwhile.
    for await (const change of catchUp(deps, tenant, position, signal)) {
      position = moveOn(position, change.at);
      if (change.order) yield orderEvent(change.order, token());
    }
  }
  const changed = new Map<string, OrderChange>();
  const bell = createWakeUp();
  using heard = await deps.changes.subscribe((change) => {
    // One more than the limit tells that it was passed; nothing is kept beyond that.
    if (change.order.tenant === tenant && changed.size <= backlogLimit) {
      // Behind what changed before it, so that a token never passes a change that is not told.
      changed.delete(change.order.id);
      changed.set(change.order.id, change);
      bell.ring();
    }
  }, signal);
  if (heard.from === undefined) return;
  if (isResumed) {
    const rest = catchUp(deps, tenant, position, signal, heard.from);
    for await (const change of rest) {
      position = moveOn(position, change.at);
      if (change.order) yield orderEvent(change.order, token());
    }
  }
  position = moveOn(position, heard.from);
  while (!signal.aborted) {
    if (heard.isLost) throw tokenRefusal("resume", "EXPIRED");
    if (changed.size > backlogLimit) throw tooSlow();
    const [change] = changed.values();
    if (change) {
      changed.delete(change.order.id);
      // The catching up may have been ahead of the reader that all watchers share.
      if (isAtOrBefore(change.at, position.after)) continue;
      position = moveOn(position, change.at);
      yield orderEvent(change.order, token());
    } else if (!(await bell.wait(deps.heartbeatMs, signal))) {
      // All up to here is told, also where nothing of it was this tenant's.
      if (changed.size === 0) position = moveOn(position, heard.at);
      yield* heartbeat(token(), signal);
    }
  }
}

async function startOf(
  deps: WatchOrdersDeps,
  tenant: string,
  resumeToken: string,
): Promise<LogPosition> {
  const log = await readLog(deps.db);
  if (resumeToken === "") return positionOf(log);
  const position = positionOfToken(deps.resumeTokens, tenant, resumeToken);
  if (isLost(position, log)) throw tokenRefusal("resume", "EXPIRED");
  return position;
}

/** Reads the log from a place to where it ends, or to `until`. Moves without an order say how far it got. */
async function* catchUp(
  { db }: WatchOrdersDeps,
  tenant: string,
  { after: start, seen: unseenBy }: LogPosition,
  signal: AbortSignal,
  until?: ChangeCursor,
): AsyncGenerator<{ readonly order?: Order; readonly at: ChangeCursor }> {
  let after = start;
  while (!signal.aborted && !(until && isAtOrBefore(until, after))) {
    const query = { after, limit: batch, tenant, unseenBy };
    const {
      changes,
      cursor,
      isFull,
      isLost: lost,
    } = await changesAfter(db, query);
    if (lost) throw tokenRefusal("resume", "EXPIRED");
    // What comes after `until` is told by whoever listens from there.
    yield* until
      ? changes.filter(({ at }) => isAtOrBefore(at, until))
      : changes;
    after = cursor;
    yield { at: until && !isAtOrBefore(after, until) ? until : after };
    if (!until && !isFull) return;
  }
}

/**
 * Tells how one order stands, and every change of it, until it is settled or `signal` aborts.
 *
 * @throws DomainError ORDER_NOT_FOUND.
 */
export async function* watchOrder(
  deps: WatchOrdersDeps,
  tenant: string,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let newest: Order | undefined;
  const bell = createWakeUp();
  using _ = await deps.changes.subscribe(({ order }) => {
    if (order.id === id && order.tenant === tenant) {
      newest = order;
      bell.ring();
    }
  }, signal);
  let told = await findOrder(deps.db, tenant, id);
  if (!told) {
    throw orderNotFound(id);
  }
  yield orderEvent(told, "");
  while (!signal.aborted && !isSettled(told)) {
    const isNews = await bell.wait(deps.heartbeatMs, signal);
    if (signal.aborted) return;
    if (!isNews) yield* heartbeat("", signal);
    const current: Order | undefined = isNews
      ? newest
      : await readAgain(deps, told);
    if (current && (current.version > told.version || isSettled(current))) {
      told = current;
      yield orderEvent(told, "");
    }
  }
}

/**
 * The order as it stands, whatever the log tells: after a failover the log is cleared, and with it changes that nobody has
 * heard of. Undefined where the database does not answer: the next heartbeat looks again.
 *
 * @throws DomainError ORDER_NOT_FOUND where a failover lost the order itself.
 */
async function readAgain(
  { db }: WatchOrdersDeps,
  { tenant, id }: Order,
): Promise<Order | undefined> {
  try {
    const order = await findOrder(db, tenant, id);
    if (!order) throw orderNotFound(id);
    return order;
  } catch (error) {
    if (error instanceof DomainError && error.code !== "not_found")
      return undefined;
    throw error;
  }
}

function orderEvent(order: Order, resumeToken: string): WatchEvent {
  return { kind: "order", order, resumeToken };
}

function* heartbeat(
  resumeToken: string,
  signal: AbortSignal,
): Generator<WatchEvent> {
  if (!signal.aborted) {
    yield { kind: "heartbeat", resumeToken };
  }
}

function tooSlow(): DomainError {
  return new DomainError({
    code: "resource_exhausted",
    reason: "OVERLOADED",
    message: "the watcher reads more slowly than orders change; watch again",
    retryAfterMs: 1_000,
  });
}
