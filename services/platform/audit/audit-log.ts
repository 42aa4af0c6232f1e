import type { Executor } from "../data/executor.ts";
import { pruneInBatches } from "../events/prune.ts";
import type { Logger } from "../runtime/logger.ts";

/** How long a record is kept at least; the table refuses to give one up before (006_audit_retention.sql). */
const RETENTION_DAYS = 400;

/** One thing that is to be known of a privileged call. Ids and names alone: no payload. */
export interface AuditRecord {
  /** The same on both records of a call. */
  readonly callId: string;
  /** `asked` is written before anything is done, so a call that takes the process with it has left that much. */
  readonly phase: "asked" | "answered";
  /** `weft.inventory.v1.InventoryService/AdjustStock` */
  readonly method: string;
  /** The mesh peer that made the call: `edge` for a user. Empty where the connection has no identity. */
  readonly peer: string;
  readonly tenant: string;
  readonly subject: string;
  /** The resource that the request names, or the fields that its method's policy names; empty where there are none. */
  readonly resource: string;
  /** How it ended, as gRPC names it: `ok`, `permission_denied`. Empty before it did. */
  readonly result: string;
  readonly traceId: string;
  readonly requestId: string;
}

/** Takes records, and gives none up before its time. */
export interface AuditLog {
  /** @throws where the record could not be stored; the call must not go on then. */
  write(record: AuditRecord): Promise<void>;
  /** Gives up what is older than 400 days, time and again until `stop` aborts. Without it, all is kept. */
  forgetOld?(stop: AbortSignal): Promise<void>;
}

/**
 * An audit log: a line of the process's log, and, where there is a database, a row of `audit_log`, which takes no changes and
 * no deletions before 400 days have passed. What is older goes, or a busy operator's table would grow for ever.
 */
export function createAuditLog(deps: {
  readonly logger: Logger;
  readonly db?: Executor | undefined;
}): AuditLog {
  const { logger, db } = deps;
  return {
    async write(record) {
      if (db) await insertRecord(db, record);
      logger.info({ audit: record }, "privileged call");
    },
    async forgetOld(stop) {
      if (db === undefined) return;
      const of = { logger, name: "audit_log" };
      await pruneInBatches(of, (limit) => pruneAuditLog(db, limit), stop);
    },
  };
}

/** Deletes so many of the records that have had their time; returns how many. */
export async function pruneAuditLog(
  db: Executor,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `delete from audit_log
     where ctid = any(array(
       select ctid
       from audit_log
       where at < clock_timestamp() - $1 * interval '1 day'
       order by at
       limit $2
     ))`,
    [RETENTION_DAYS, limit],
  );
  return rowCount;
}

async function insertRecord(db: Executor, record: AuditRecord): Promise<void> {
  await db.query(
    `insert into audit_log (
       call_id, phase, method, peer, tenant, subject,
       resource, result, trace_id, request_id
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      record.callId,
      record.phase,
      record.method,
      record.peer,
      record.tenant,
      record.subject,
      record.resource,
      record.result,
      record.traceId,
      record.requestId,
    ],
  );
}
