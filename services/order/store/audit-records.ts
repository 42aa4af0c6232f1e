import type { Executor } from "../../platform/data/executor.ts";
import type { AuditRecord } from "../domain/operations.ts";
import type { OrderAttention } from "../domain/order.ts";

/** Notes an operator's decision; in the transaction that makes it. */
export async function insertAuditRecord(
  tx: Executor,
  record: AuditRecord,
): Promise<void> {
  await tx.query(
    `insert into order_audit_records (
       id, order_id, tenant, action, actor, actor_tenant, reason, settled_by_hand,
       state_before, state_after, attention, request_id, at
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      record.id,
      record.orderId,
      record.tenant,
      record.action,
      record.actor,
      record.actorTenant,
      record.reason,
      record.settledByHand,
      record.stateBefore,
      record.stateAfter,
      record.attention ?? null,
      record.requestId ?? null,
      record.at,
    ],
  );
}

/** JSON has no dates: a time is its ISO 8601 text. */
type StoredAttention = Omit<OrderAttention, "since"> & { since: string };

interface AuditRow extends Omit<AuditRecord, "attention" | "requestId"> {
  readonly attention: StoredAttention | null;
  readonly requestId: string | null;
  readonly cursor: string;
}

/** Those after the cursor, the last first; of one order where it is named. */
export async function listAuditRecords(
  db: Executor,
  orderId: string | undefined,
  after: { readonly at: string; readonly id: string } | undefined,
  limit: number,
): Promise<(AuditRecord & { readonly cursor: string })[]> {
  const { rows } = await db.query<AuditRow>(
    `select id, order_id as "orderId", tenant, action, actor, actor_tenant as "actorTenant", reason,
            settled_by_hand as "settledByHand", state_before as "stateBefore",
            state_after as "stateAfter", attention, request_id as "requestId", at, at::text as cursor
     from order_audit_records
     where ($1::uuid is null or order_id = $1)
       and ($2::timestamptz is null or (at, id) < ($2, $3::uuid))
     order by at desc, id desc
     limit $4`,
    [orderId ?? null, after?.at ?? null, after?.id ?? null, limit],
  );
  return rows.map(({ attention, requestId, ...row }) => ({
    ...row,
    attention: attention
      ? { ...attention, since: new Date(attention.since) }
      : undefined,
    requestId: requestId ?? undefined,
  }));
}
