import type { Executor } from "../data/executor.ts";
import type { Logger } from "../runtime/logger.ts";

/** One thing that is to be known of a privileged call for ever. Ids and names alone: no payload. */
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
  /** The resource that the request names; empty where it names none. */
  readonly resource: string;
  /** How it ended, as gRPC names it: `ok`, `permission_denied`. Empty before it did. */
  readonly result: string;
  readonly traceId: string;
  readonly requestId: string;
}

/** Takes records and never gives one up. */
export interface AuditLog {
  /** @throws where the record could not be stored; the call must not go on then. */
  write(record: AuditRecord): Promise<void>;
}

/**
 * An audit log: a line of the process's log, and, where there is a database, a row of `audit_log`, which takes no changes and
 * no deletions.
 */
export function createAuditLog(deps: {
  readonly logger: Logger;
  readonly db?: Executor | undefined;
}): AuditLog {
  return {
    async write(record) {
      if (deps.db) await insertRecord(deps.db, record);
      deps.logger.info({ audit: record }, "privileged call");
    },
  };
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
