import type { Executor } from "../../platform/data/executor.ts";
import type { AuditRecord } from "../domain/dead-letter.ts";

/** Notes a decision; in the transaction that makes it. */
export async function insertAuditRecord(
  tx: Executor,
  record: AuditRecord,
): Promise<void> {
  await tx.query(
    `insert into audit_records (
       id, dead_letter, action, actor, actor_tenant, reason, request_id, payload_before, payload_after, at
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      record.id,
      record.deadLetter,
      record.action,
      record.actor,
      record.actorTenant,
      record.reason,
      record.requestId ?? null,
      record.payloadBefore,
      record.payloadAfter ?? null,
      record.at,
    ],
  );
}

/** Those after the cursor, the last first; of one dead letter where it is named. */
export async function listAuditRecords(
  db: Executor,
  deadLetter: string | undefined,
  after: { readonly at: string; readonly id: string } | undefined,
  limit: number,
): Promise<readonly (AuditRecord & { readonly cursor: string })[]> {
  type Row = Omit<AuditRecord, "requestId" | "payloadAfter"> & {
    requestId: string | null;
    payloadAfter: Buffer | null;
    cursor: string;
  };
  const { rows } = await db.query<Row>(
    `select id, dead_letter as "deadLetter", action, actor, actor_tenant as "actorTenant", reason,
            request_id as "requestId", payload_before as "payloadBefore",
            payload_after as "payloadAfter", at, at::text as cursor
     from audit_records
     where ($1::uuid is null or dead_letter = $1)
       and ($2::timestamptz is null or (at, id) < ($2, $3::uuid))
     order by at desc, id desc
     limit $4`,
    [deadLetter ?? null, after?.at ?? null, after?.id ?? null, limit],
  );
  return rows.map((row) => ({
    ...row,
    requestId: row.requestId ?? undefined,
    payloadAfter: row.payloadAfter ?? undefined,
  }));
}
