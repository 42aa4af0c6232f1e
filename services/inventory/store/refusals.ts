import type { Executor } from "../../platform/data/executor.ts";
import { DomainError, type ErrorCode } from "../../platform/runtime/errors.ts";
import type { ReservationKey } from "./reservations.ts";

interface RefusalRow {
  code: ErrorCode;
  reason: string;
  message: string;
  metadata: Record<string, string>;
}

/** Keeps why a reservation was refused; the first reason counts. */
export async function insertRefusal(
  tx: Executor,
  { tenant, id }: ReservationKey,
  { code, reason, message, metadata }: DomainError,
): Promise<void> {
  await tx.query(
    `insert into reservation_refusals (tenant, reservation_id, code, reason, message, metadata)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant, reservation_id) do nothing`,
    [tenant, id, code, reason, message, metadata],
  );
}

/** Why a reservation was refused, if it was, as an error to be thrown again. */
export async function findRefusal(
  db: Executor,
  { tenant, id }: ReservationKey,
): Promise<DomainError | undefined> {
  const { rows } = await db.query<RefusalRow>(
    `select code, reason, message, metadata
     from reservation_refusals
     where tenant = $1
       and reservation_id = $2`,
    [tenant, id],
  );
  return rows[0] && new DomainError(rows[0]);
}
