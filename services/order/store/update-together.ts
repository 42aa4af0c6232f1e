import type { Executor } from "../../platform/data/executor.ts";
import { patience, recordSet } from "../../platform/data/record-set.ts";
import {
  outboxColumns,
  outboxRecord,
  type OutboxRow,
} from "../../platform/events/outbox-rows.ts";
import type { Order } from "../domain/order.ts";
import { lineColumn } from "./order-row.ts";

/**
 * When somebody else may take the order up: never, once it is settled. "kept" leaves it when it was, which spares the
 * indexes: the row is updated in its place.
 */
export type Due = Date | "kept" | undefined;

/** The next version of an order, and the event that tells of it, if one does. */
export interface NextOrder {
  readonly order: Order;
  readonly versionBefore: bigint;
  /** Whether this version is the decision to commit, which the log then has as well. */
  readonly decides: boolean;
  readonly due: Due;
  readonly event: OutboxRow | undefined;
}

/**
 * Stores the next versions of those orders whose version is still the one before and that nobody has taken over, each with its change and its event, as
 * one statement, which is a transaction by itself. No two may be of one order.
 *
 * @returns which were stored, by their place in the list.
 */
export async function updateOrdersTogether(
  db: Executor,
  items: readonly NextOrder[],
): Promise<ReadonlySet<number>> {
  const events = items.flatMap(({ event }, n) =>
    event ? [{ n, ...event }] : [],
  );
  const { rows } = await db.query<{ n: number }>(statement, [
    recordSet(items.map(orderRow)),
    items.length,
    recordSet(events),
  ]);
  return new Set(rows.map(({ n }) => n));
}

function orderRow(
  { order, versionBefore, decides, due }: NextOrder,
  n: number,
) {
  return {
    n,
    id: order.id,
    version_before: versionBefore,
    epoch: order.epoch,
    decides,
    state: order.state,
    lines: order.lines.map(lineColumn),
    total_currency: order.total?.currency,
    total_minor_units: order.total?.minorUnits,
    payment_token: order.paymentToken,
    failure: order.failure,
    attention: order.attention,
    undo: order.undo,
    version: order.version,
    attempts: order.attempts,
    due_at: due === "kept" ? undefined : due,
    keeps_due: due === "kept",
    updated_at: order.updatedAt,
    settled_at: order.settledAt,
  };
}

// The limit tells the planner how many rows there are: it takes every record set for a hundred.
const statement = `with ${patience},
     next as materialized (
       select n, id, version_before, epoch, decides, state, lines, total_currency, total_minor_units, payment_token, failure,
         attention, undo, version, attempts, due_at, keeps_due, updated_at, settled_at
       from json_to_recordset($1) as next (
         n integer, id uuid, version_before bigint, epoch bigint, decides boolean, state text, lines jsonb, total_currency text,
         total_minor_units bigint, payment_token text, failure jsonb, attention jsonb, undo text[],
         version bigint, attempts integer, due_at timestamptz, keeps_due boolean, updated_at timestamptz,
         settled_at timestamptz
       )
       limit $2
     ),
     updated as (
       update orders
       set state = next.state, lines = next.lines,
           total_currency = next.total_currency, total_minor_units = next.total_minor_units,
           payment_token = next.payment_token, failure = next.failure, attention = next.attention,
           undo = next.undo, version = next.version, attempts = next.attempts,
           due_at = case when next.keeps_due then orders.due_at else next.due_at end, updated_at = next.updated_at, settled_at = next.settled_at
       from patience
       cross join next
       where orders.id = next.id and orders.version = next.version_before and orders.epoch = next.epoch
       returning next.n, next.decides, orders.epoch, orders.tenant, orders.id, orders.version, orders.updated_at
     ),
     logged as (
       insert into order_changes (tenant, order_id, version, changed_at)
       select tenant, id, version, updated_at
       from updated
     ),
     decided as (
       insert into transaction_decisions (order_id, epoch, decided_at)
       select id, epoch, updated_at
       from updated
       where decides
     ),
     announced as (
       insert into outbox (${outboxColumns})
       select ${outboxColumns}
       from json_to_recordset($3) as event (n integer, ${outboxRecord})
       where n in (select n from updated)
       order by n
     )
     select n
     from updated`;
