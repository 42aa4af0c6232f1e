import type { Executor } from "../../platform/data/executor.ts";
import { patience } from "../../platform/data/record-set.ts";
import {
  isSettled,
  SETTLED_STATES,
  type Order,
  type OrderState,
} from "../domain/order.ts";
import {
  orderColumns,
  orderOfRow,
  storedLines,
  type OrderRow,
} from "./order-row.ts";
import type { Due } from "./update-together.ts";

/** What is stored beside an order and is not part of it. */
export interface OrderOrigin {
  readonly requestId: string | undefined;
  readonly requestHash: Buffer;
  /** W3C Trace Context of the call that placed it, so that a later driver continues its trace. */
  readonly traceparent: string | undefined;
  /** When somebody else may take the order up. */
  readonly dueAt: Date;
}

/** Stores a new order. False where the tenant has used the request id before. */
export async function insertOrder(
  db: Executor,
  order: Order,
  origin: OrderOrigin,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `with inserted as (
       insert into orders (
         id, tenant, customer, request_id, request_hash, state, lines,
         expected_currency, expected_minor_units, payment_token,
         version, due_at, traceparent, created_at, updated_at, coordination, epoch
       )
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)
       on conflict (tenant, request_id) where request_id is not null do nothing
       returning tenant, id, version, created_at
     )
     insert into order_changes (tenant, order_id, version, changed_at)
     select tenant, id, version, created_at
     from inserted`,
    [
      order.id,
      order.tenant,
      order.customer,
      origin.requestId ?? null,
      origin.requestHash,
      order.state,
      storedLines(order.lines),
      order.expectedTotal?.currency ?? null,
      order.expectedTotal?.minorUnits ?? null,
      order.paymentToken ?? null,
      order.version,
      origin.dueAt,
      origin.traceparent ?? null,
      order.createdAt,
      order.coordination,
      order.epoch,
    ],
  );
  return rowCount === 1;
}

/**
 * Stores the next version of an order, if `before` is still its version and nobody has taken it over; false if somebody
 * else was faster.
 */
export async function updateOrder(
  db: Executor,
  order: Order,
  before: bigint,
  due: Due,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `with updated as (
       update orders
       set state = $3, lines = $4, total_currency = $5, total_minor_units = $6,
           payment_token = $7, failure = $8, undo = $9, version = $10,
           attempts = $11, due_at = case when $17 then due_at else $12 end, updated_at = $13, settled_at = $14,
           attention = $15
       where id = $1 and version = $2 and epoch = $16
       returning tenant, id, version, updated_at
     )
     insert into order_changes (tenant, order_id, version, changed_at)
     select tenant, id, version, updated_at
     from updated`,
    [
      order.id,
      before,
      order.state,
      storedLines(order.lines),
      order.total?.currency ?? null,
      order.total?.minorUnits ?? null,
      order.paymentToken ?? null,
      order.failure ?? null,
      order.undo,
      order.version,
      order.attempts,
      due === "kept" ? null : (due ?? null),
      order.updatedAt,
      order.settledAt ?? null,
      order.attention ?? null,
      order.epoch,
      due === "kept",
    ],
  );
  return rowCount === 1;
}

/** An order, whichever tenant's: for those who drive it. */
export async function findOrderById(
  db: Executor,
  id: string,
): Promise<Order | undefined> {
  const { rows } = await db.query<OrderRow>(
    `select ${orderColumns} from orders where id = $1`,
    [id],
  );
  return rows[0] && orderOfRow(rows[0]);
}

/** An order that nobody else changes until the transaction ends, and when it is due. */
export interface LockedOrder {
  readonly order: Order;
  readonly dueAt: Date | undefined;
}

/**
 * Those of these orders that exist, whichever tenant's, in no order. Locked in the order of their ids, so that two
 * transactions never wait for each other in a ring.
 */
export async function lockOrdersById(
  tx: Executor,
  ids: readonly string[],
): Promise<LockedOrder[]> {
  const { rows } = await tx.query<OrderRow & { due_at: Date | null }>(
    `with ${patience}
     select ${orderColumns}, due_at
     from patience
     cross join orders
     where id = any($1::uuid[])
     order by id
     for no key update of orders`,
    [ids],
  );
  return rows.map(lockedOrder);
}

/** An order of a tenant. */
export async function findOrder(
  db: Executor,
  tenant: string,
  id: string,
): Promise<Order | undefined> {
  const { rows } = await db.query<OrderRow>(
    `select ${orderColumns} from orders where id = $2 and tenant = $1`,
    [tenant, id],
  );
  return rows[0] && orderOfRow(rows[0]);
}

/** An order of a tenant, which nobody else changes until the transaction ends, and when it is due. */
export async function lockOrder(
  db: Executor,
  tenant: string,
  id: string,
): Promise<LockedOrder | undefined> {
  const { rows } = await db.query<OrderRow & { due_at: Date | null }>(
    `select ${orderColumns}, due_at
     from orders
     where id = $2 and tenant = $1
     for update`,
    [tenant, id],
  );
  return rows[0] && lockedOrder(rows[0]);
}

function lockedOrder(row: OrderRow & { due_at: Date | null }): LockedOrder {
  return { order: orderOfRow(row), dueAt: row.due_at ?? undefined };
}

/** The order that a request id placed, and the hash of its body. */
export async function findOrderOfRequest(
  db: Executor,
  tenant: string,
  requestId: string,
): Promise<{ order: Order; requestHash: Buffer } | undefined> {
  const { rows } = await db.query<OrderRow & { request_hash: Buffer }>(
    `select ${orderColumns}, request_hash
     from orders
     where tenant = $1 and request_id = $2`,
    [tenant, requestId],
  );
  const row = rows[0];
  return row && { order: orderOfRow(row), requestHash: row.request_hash };
}

/** Which orders a list shows. */
export interface OrderFilter {
  readonly tenant: string;
  readonly states: readonly OrderState[];
  readonly customer: string;
}

/**
 * The orders of a tenant after the cursor, newest first. Open ones are found by the index of due orders, those of each
 * settled state and of a customer by indexes of their own, so that none of these lists costs what is stored.
 */
export async function listOrdersAfter(
  db: Executor,
  filter: OrderFilter,
  after: { readonly createdAt: Date; readonly id: string } | undefined,
  limit: number,
): Promise<Order[]> {
  const { rows } = await db.query<OrderRow>(
    listStatement(filter, after !== undefined),
    [
      filter.tenant,
      filter.states,
      filter.customer,
      after?.createdAt ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows.map(orderOfRow);
}

function listStatement(
  { states, customer }: OrderFilter,
  goesOn: boolean,
): string {
  const pageOf = (condition: string) => `select ${orderColumns}
     from orders
     where tenant = $1
       and ${condition}
       and ${customer === "" ? "$3 = ''" : "customer = $3"}
       and ${goesOn ? "(created_at, id) < ($4, $5)" : "($4::timestamptz, $5::uuid) is null"}
     order by created_at desc, id desc
     limit $6`;
  // In one order and once each, whatever the caller's list: the texts are few, and no page holds an order twice.
  const settled = SETTLED_STATES.filter((state) => states.includes(state));
  const hasOpen = states.some((state) => !isSettled({ state }));
  const open = "state = any ($2::text[]) and due_at is not null";
  if (states.length === 0) return pageOf("$2::text[] = '{}'");
  if (settled.length === 0) return pageOf(open);
  if (customer !== "") return pageOf("state = any ($2::text[])");
  // Each by itself, and in the text: how rare a state is decides which index is read.
  const conditions = settled.map((state) => `outcome = '${state}'`);
  if (hasOpen) conditions.push(open);
  const pages = conditions.map((condition) => `(${pageOf(condition)})`);
  return `select ${orderColumns}
     from (${pages.join(" union all ")}) as found
     where $2::text[] is not null
     order by created_at desc, id desc
     limit $6`;
}
