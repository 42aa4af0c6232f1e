import type { Executor } from "../../platform/data/executor.ts";
import { patience } from "../../platform/data/record-set.ts";
import type { Payment } from "../domain/payment.ts";
import {
  changing,
  columns,
  selected,
  toPayment,
  type PaymentRow,
} from "./payment-row.ts";

/** The name of a payment: ids are the callers', so they are unique within a tenant only. */
export interface PaymentKey {
  readonly tenant: string;
  readonly id: string;
}

/** Adds a payment. False if its id is taken; waits for a concurrent writer of the same id. */
export async function insertPayment(
  db: Executor,
  payment: Payment,
  checkAt: Date | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into payments (${columns}, check_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
     on conflict (tenant, id) do nothing`,
    [
      payment.tenant,
      payment.id,
      payment.orderId,
      payment.amount?.currency ?? null,
      payment.amount?.minorUnits ?? null,
      ...changing(payment),
      payment.version,
      payment.createdAt,
      payment.updatedAt,
      checkAt ?? null,
    ],
  );
  return rowCount === 1;
}

export async function findPayment(
  db: Executor,
  key: PaymentKey,
): Promise<Payment | undefined> {
  const { rows } = await db.query<PaymentRow>(
    `select ${selected}
     from payments
     where tenant = $1
       and id = $2`,
    [key.tenant, key.id],
  );
  return rows[0] && toPayment(rows[0]);
}

/** Those of these payments that exist, in no order. */
export async function findPayments(
  db: Executor,
  keys: readonly PaymentKey[],
): Promise<Payment[]> {
  const { rows } = await db.query<PaymentRow>(
    `select ${selected}
     from unnest($1::text[], $2::uuid[]) as wanted (wanted_tenant, wanted_id)
     join payments on tenant = wanted_tenant and id = wanted_id`,
    [keys.map(({ tenant }) => tenant), keys.map(({ id }) => id)],
  );
  return rows.map(toPayment);
}

/** The payments of this id whose tenant the provider knows by a hash, one in each of a few tenants at most. */
export async function findPaymentsOfHashedTenants(
  db: Executor,
  id: string,
): Promise<Payment[]> {
  const { rows } = await db.query<PaymentRow>(
    `select ${selected}
     from payments
     where id = $1
       and tenant !~ '^[A-Za-z0-9_.-]{1,63}$'
     limit 100`,
    [id],
  );
  return rows.map(toPayment);
}

/** The payment, which nobody else changes until the transaction ends. */
export async function lockPayment(
  tx: Executor,
  key: PaymentKey,
): Promise<Payment | undefined> {
  const { rows } = await tx.query<PaymentRow>(
    `select ${selected}
     from payments
     where tenant = $1
       and id = $2
     for update`,
    [key.tenant, key.id],
  );
  return rows[0] && toPayment(rows[0]);
}

/**
 * Those of these payments that exist, as {@link lockPayment} has them. Locked in (tenant, id) order, so that two
 * transactions never wait for each other in a ring.
 */
export async function lockPayments(
  tx: Executor,
  keys: readonly PaymentKey[],
): Promise<Payment[]> {
  const { rows } = await tx.query<PaymentRow>(
    `with ${patience}
     select ${selected}
     from patience
     cross join (
       select distinct wanted_tenant, wanted_id
       from unnest($1::text[], $2::uuid[]) as wanted (wanted_tenant, wanted_id)
     ) as wanted
     join payments on tenant = wanted_tenant and id = wanted_id
     order by tenant, id
     for no key update of payments`,
    [keys.map(({ tenant }) => tenant), keys.map(({ id }) => id)],
  );
  return rows.map(toPayment);
}

/** Writes what may change of a locked payment. False if its version is not `versionBefore`. */
export async function updatePayment(
  tx: Executor,
  payment: Payment,
  versionBefore: bigint,
  checkAt: Date | undefined,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update payments
     set captured_amount = $3,
         refunded_amount = $4,
         state = $5,
         decline_code = $6,
         provider_reference = $7,
         payment_token = $8,
         token_fingerprint = $9,
         pending = $10,
         pending_amount = $11,
         pending_refund_id = $12,
         pending_since = $13,
         asked_at = $14,
         version = $15,
         updated_at = $16,
         check_at = $17,
         checks = 0
     where tenant = $1
       and id = $2
       and version = $18`,
    [
      payment.tenant,
      payment.id,
      ...changing(payment),
      payment.version,
      payment.updatedAt,
      checkAt ?? null,
      versionBefore,
    ],
  );
  return rowCount === 1;
}

/** Where a page goes on: after the payment of this time and id. */
export interface PageCursor {
  readonly createdAt: Date;
  readonly id: string;
}

/** A page of a tenant's payments, newest first; only those of `orderId` where it is given. */
export async function listPayments(
  db: Executor,
  query: {
    readonly tenant: string;
    readonly orderId: string | undefined;
    readonly after: PageCursor | undefined;
    readonly limit: number;
  },
): Promise<Payment[]> {
  const { rows } = await db.query<PaymentRow>(
    `select ${selected}
     from payments
     where tenant = $1
       ${query.orderId === undefined ? "and $2::text is null" : "and order_id = $2"}
       and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
     order by created_at desc, id desc
     limit $5`,
    [
      query.tenant,
      query.orderId ?? null,
      query.after?.createdAt ?? null,
      query.after?.id ?? null,
      query.limit,
    ],
  );
  return rows.map(toPayment);
}
