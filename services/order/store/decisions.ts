import type { Executor } from "../../platform/data/executor.ts";
import type { OrderState } from "../domain/order.ts";
import type { Decision } from "../domain/two-phase-commit.ts";

/** Stores the decision to commit. In the transaction that confirms the order, and before anybody is told. */
export async function insertDecision(
  tx: Executor,
  decision: Decision,
  decidedAt: Date,
): Promise<void> {
  await tx.query(
    `insert into transaction_decisions (order_id, epoch, decided_at)
     values ($1, $2, $3)`,
    [decision.orderId, decision.epoch, decidedAt],
  );
}

/** The decision to commit an order; none means that it was not decided, and where it is over that it was aborted. */
export async function findDecision(
  db: Executor,
  orderId: string,
): Promise<Decision | undefined> {
  const { rows } = await db.query<{ epoch: bigint }>(
    `select epoch
     from transaction_decisions
     where order_id = $1`,
    [orderId],
  );
  return rows[0] && { orderId, epoch: rows[0].epoch };
}

/** How an order stands, or is stuck, and what was decided of it: of one instant. */
export interface OrderDecision {
  readonly state: OrderState;
  readonly decision: Decision | undefined;
}

/** What was decided of these orders, by id; of those that are not known there is none. */
export async function findDecisions(
  db: Executor,
  orderIds: readonly string[],
): Promise<Map<string, OrderDecision>> {
  const { rows } = await db.query<{
    id: string;
    state: OrderState;
    epoch: bigint | null;
  }>(
    `select id, coalesce(attention ->> 'state', state) as state,
       transaction_decisions.epoch
     from orders
     left join transaction_decisions on order_id = id
     where id = any($1::uuid[])`,
    [orderIds],
  );
  return new Map(
    rows.map(({ id, state, epoch }) => [
      id,
      {
        state,
        decision: epoch === null ? undefined : { orderId: id, epoch },
      },
    ]),
  );
}

/**
 * Forgets decisions older than `before` whose orders are settled: every participant has done them. Not those of orders that
 * were settled by hand, of which a participant may still have to be told. How many.
 */
export async function pruneDecisions(
  db: Executor,
  before: Date,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from transaction_decisions
     where order_id in (
       select order_id
       from transaction_decisions
       join orders on id = order_id
       where decided_at < $1
         and settled_at is not null
         and not exists (
           select
           from order_audit_records
           where order_audit_records.order_id = orders.id
             and action = 'force_resolve'
         )
       limit $2
     )`,
    [before, limit],
  );
  return rowCount;
}
