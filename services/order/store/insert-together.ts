import type { Executor } from "../../platform/data/executor.ts";
import {
  keyColumns,
  keyLeasedUntil,
  keyRecord,
  type KeyRow,
} from "../../platform/data/key-rows.ts";
import {
  hexBytes,
  patience,
  recordSet,
} from "../../platform/data/record-set.ts";
import {
  outboxColumns,
  outboxRecord,
  type OutboxRow,
} from "../../platform/events/outbox-rows.ts";
import type { Order } from "../domain/order.ts";
import { lineColumn } from "./order-row.ts";
import type { OrderOrigin } from "./orders.ts";

/** A new order, the event that tells of it, and the key of the request that places it, if that has a name. */
export interface NewOrder {
  readonly order: Order;
  readonly origin: OrderOrigin;
  readonly event: OutboxRow;
  readonly key: KeyRow | undefined;
}

/**
 * Stores the new orders, each with its first change, its event and its request's key, as one statement, which is a
 * transaction by itself. Left out, without a trace: orders whose key is taken or whose request id has placed one before.
 *
 * @returns which were stored, by their place in the list.
 */
export async function insertOrdersTogether(
  db: Executor,
  items: readonly NewOrder[],
): Promise<ReadonlySet<number>> {
  const keys = items.flatMap(({ key }, n) => (key ? [{ n, ...key }] : []));
  const { rows } = await db.query<{ n: number }>(statement, [
    recordSet(items.map(orderRow)),
    items.length,
    recordSet(keys),
    recordSet(items.map(({ event }, n) => ({ n, ...event }))),
  ]);
  return new Set(rows.map(({ n }) => n));
}

function orderRow({ order, origin, key }: NewOrder, n: number) {
  return {
    n,
    id: order.id,
    tenant: order.tenant,
    customer: order.customer,
    request_id: origin.requestId,
    request_hash: hexBytes(origin.requestHash),
    has_key: key !== undefined,
    state: order.state,
    lines: order.lines.map(lineColumn),
    expected_currency: order.expectedTotal?.currency,
    expected_minor_units: order.expectedTotal?.minorUnits,
    payment_token: order.paymentToken,
    coordination: order.coordination,
    version: order.version,
    due_at: origin.dueAt,
    traceparent: origin.traceparent,
    created_at: order.createdAt,
  };
}

// The limit tells the planner how many rows there are: it takes every record set for a hundred.
const statement = `with ${patience},
     wanted as materialized (
       select n, id, tenant, customer, request_id, request_hash, has_key, state, lines, expected_currency,
         expected_minor_units, payment_token, coordination, version, due_at, traceparent, created_at
       from json_to_recordset($1) as wanted (
         n integer, id uuid, tenant text, customer text, request_id uuid, request_hash bytea, has_key boolean,
         state text, lines jsonb, expected_currency text, expected_minor_units bigint, payment_token text,
         coordination text, version bigint, due_at timestamptz, traceparent text, created_at timestamptz
       )
       limit $2
     ),
     known as (
       select wanted.n
       from wanted
       join orders on orders.tenant = wanted.tenant and orders.request_id = wanted.request_id
     ),
     key as materialized (
       select n, ${keyColumns}, lease_ms
       from json_to_recordset($3) as key (n integer, ${keyRecord})
       where n not in (select n from known)
     ),
     taken as (
       insert into idempotency_keys (${keyColumns}, leased_until)
       select ${keyColumns}, ${keyLeasedUntil}
       from patience
       cross join key
       on conflict (tenant, operation, key) do nothing
       returning tenant, operation, key
     ),
     named as materialized (
       select key.n
       from key
       join taken on taken.tenant = key.tenant and taken.operation = key.operation and taken.key = key.key
     ),
     inserted as (
       insert into orders (
         id, tenant, customer, request_id, request_hash, state, lines,
         expected_currency, expected_minor_units, payment_token, coordination,
         version, due_at, traceparent, created_at, updated_at
       )
       select id, tenant, customer, request_id, request_hash, state, lines,
         expected_currency, expected_minor_units, payment_token, coordination,
         version, due_at, traceparent, created_at, created_at
       from wanted
       where n not in (select n from known)
         and (not has_key or n in (select n from named))
       on conflict (tenant, request_id) where request_id is not null do nothing
       returning id, tenant, version, created_at
     ),
     logged as (
       insert into order_changes (tenant, order_id, version, changed_at)
       select tenant, id, version, created_at
       from inserted
     ),
     stored as materialized (
       select wanted.n
       from wanted
       join inserted using (id)
     ),
     announced as (
       insert into outbox (${outboxColumns})
       select ${outboxColumns}
       from json_to_recordset($4) as event (n integer, ${outboxRecord})
       where n in (select n from stored)
       order by n
     )
     select n
     from stored`;
