import { hexBytes } from "./record-set.ts";
import type { RequestKey, StoredAnswer } from "./idempotency-keys.ts";

/** A request's key as a row of `idempotency_keys`, in the form that `recordSet` takes. */
export interface KeyRow {
  readonly tenant: string;
  readonly operation: string;
  readonly key: string;
  readonly request_hash: string;
  readonly epoch: 1;
  /** How long it is held; undefined where the answer comes with it. */
  readonly lease_ms: number | undefined;
  readonly status: number | undefined;
  readonly answer: string | undefined;
}

/** The columns of a {@link KeyRow} that an insert takes over as they are. */
export const keyColumns =
  "tenant, operation, key, request_hash, epoch, status, answer";

/** The columns of a {@link KeyRow}, as `json_to_recordset` needs them. */
export const keyRecord = `tenant text, operation text, key uuid, request_hash bytea, epoch integer,
         lease_ms double precision, status smallint, answer bytea`;

/** What an insert makes of a {@link KeyRow}'s `lease_ms`; null stays null. */
export const keyLeasedUntil =
  "clock_timestamp() + lease_ms * interval '1 millisecond'";

/** The row of a new key: held for so long, or with its answer. */
export function keyRow(
  request: RequestKey,
  held: { readonly leaseMs: number } | StoredAnswer,
): KeyRow {
  return {
    tenant: request.tenant,
    operation: request.operation,
    key: request.key,
    request_hash: hexBytes(request.hash),
    epoch: 1,
    ...("leaseMs" in held
      ? { lease_ms: held.leaseMs, status: undefined, answer: undefined }
      : {
          lease_ms: undefined,
          status: held.status,
          answer: hexBytes(held.answer),
        }),
  };
}
