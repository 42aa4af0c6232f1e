import type { Executor } from "../../platform/data/executor.ts";
import { patience } from "../../platform/data/record-set.ts";
import type {
  Reservation,
  ReservationLine,
  ReservationState,
} from "../domain/reservation.ts";

interface ReservationRow {
  tenant: string;
  id: string;
  order_name: string;
  state: ReservationState;
  currency: string | null;
  total_minor: bigint | null;
  expires_at: Date | null;
  created_at: Date;
  updated_at: Date;
  lines: LineColumn[];
}

/** The name of a reservation: ids are the callers', so they are unique within a tenant only. */
export interface ReservationKey {
  readonly tenant: string;
  readonly id: string;
}

/** The price is text: JSON numbers lose precision beyond 2^53. */
interface LineColumn {
  sku: string;
  quantity: number;
  unit_price_minor: string;
}

const columns = `tenant, id, order_name, state, currency, total_minor, expires_at, created_at, updated_at,
       coalesce(
         (
           select json_agg(
             json_build_object('sku', sku, 'quantity', quantity, 'unit_price_minor', unit_price_minor::text)
             order by sku
           )
           from reservation_lines
           where reservation_lines.tenant = reservations.tenant
             and reservation_id = id
         ),
         '[]'
       ) as lines`;

/** Adds the reservation and its lines. False, and nothing is added, if its id is taken. Waits for a concurrent writer of the same id. */
export async function insertReservation(
  db: Executor,
  reservation: Reservation,
): Promise<boolean> {
  const { rows } = await db.query(
    `with made as (
       insert into reservations
         (tenant, id, order_name, state, currency, total_minor, expires_at, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
       on conflict (tenant, id) do nothing
       returning tenant, id
     ),
     lined as (
       insert into reservation_lines (tenant, reservation_id, sku, quantity, unit_price_minor)
       select made.tenant, made.id, line.sku, line.quantity, line.unit_price_minor
       from made,
         unnest($9::text[], $10::integer[], $11::bigint[]) as line (sku, quantity, unit_price_minor)
     )
     select id
     from made`,
    [
      reservation.tenant,
      reservation.id,
      reservation.order,
      reservation.state,
      reservation.total?.currency ?? null,
      reservation.total?.minorUnits ?? null,
      reservation.expiresAt ?? null,
      reservation.createdAt,
      reservation.lines.map((line) => line.sku),
      reservation.lines.map((line) => line.quantity),
      reservation.lines.map((line) => line.unitPrice.minorUnits),
    ],
  );
  return rows.length === 1;
}

export async function findReservation(
  db: Executor,
  tenant: string,
  id: string,
): Promise<Reservation | undefined> {
  const { rows } = await db.query<ReservationRow>(
    `select ${columns}
     from reservations
     where tenant = $1
       and id = $2`,
    [tenant, id],
  );
  return rows[0] && toReservation(rows[0]);
}

/** Those of these reservations that exist, in no order. */
export async function findReservations(
  db: Executor,
  keys: readonly ReservationKey[],
): Promise<Reservation[]> {
  const { rows } = await db.query<ReservationRow>(
    `select ${columns}
     from unnest($1::text[], $2::uuid[]) as wanted (wanted_tenant, wanted_id)
     join reservations on tenant = wanted_tenant and id = wanted_id`,
    [keys.map(({ tenant }) => tenant), keys.map(({ id }) => id)],
  );
  return rows.map(toReservation);
}

/** The reservation as it is once every earlier change of it is over; nobody else changes it until this transaction ends. */
export async function lockReservation(
  db: Executor,
  tenant: string,
  id: string,
): Promise<Reservation | undefined> {
  const { rows } = await db.query<ReservationRow>(
    `select ${columns}
     from reservations
     where tenant = $1
       and id = $2
     for no key update`,
    [tenant, id],
  );
  return rows[0] && toReservation(rows[0]);
}

/**
 * Those of these reservations that exist, as {@link lockReservation} has them. Locked in (tenant, id) order, so that two
 * transactions never wait for each other in a ring.
 */
export async function lockReservations(
  tx: Executor,
  keys: readonly ReservationKey[],
): Promise<Reservation[]> {
  const { rows } = await tx.query<ReservationRow>(
    `with ${patience}
     select ${columns}
     from patience
     cross join unnest($1::text[], $2::uuid[]) as wanted (wanted_tenant, wanted_id)
     join reservations on tenant = wanted_tenant and id = wanted_id
     order by tenant, id
     for no key update of reservations`,
    [keys.map(({ tenant }) => tenant), keys.map(({ id }) => id)],
  );
  return rows.map(toReservation);
}

/** Locks the reservations that ran out first, so many at most, past those that somebody is just changing. */
export async function lockOverdueReservations(
  db: Executor,
  at: Date,
  limit: number,
): Promise<Reservation[]> {
  const { rows } = await db.query<ReservationRow>(
    `select ${columns}
     from reservations
     where state = 'held'
       and expires_at <= $1
     order by expires_at
     limit $2
     for no key update skip locked`,
    [at, limit],
  );
  return rows.map(toReservation);
}

/** Has a held reservation never run out. False where it is not held any more. */
export async function keepReservation(
  tx: Executor,
  { tenant, id }: ReservationKey,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update reservations
     set expires_at = null
     where tenant = $1
       and id = $2
       and state = 'held'`,
    [tenant, id],
  );
  return rowCount === 1;
}

/** Saves the states that these locked reservations have come to. */
export async function saveReservationStates(
  db: Executor,
  reservations: readonly Reservation[],
): Promise<void> {
  await db.query(
    `update reservations
     set state = moved.state,
       updated_at = moved.updated_at
     from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[]) as moved (tenant, id, state, updated_at)
     where reservations.tenant = moved.tenant
       and reservations.id = moved.id`,
    [
      reservations.map((reservation) => reservation.tenant),
      reservations.map((reservation) => reservation.id),
      reservations.map((reservation) => reservation.state),
      reservations.map((reservation) => reservation.updatedAt),
    ],
  );
}

function toReservation(row: ReservationRow): Reservation {
  const currency = row.currency;
  return {
    tenant: row.tenant,
    id: row.id,
    order: row.order_name,
    lines:
      currency === null ? [] : row.lines.map((line) => toLine(line, currency)),
    state: row.state,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(currency !== null &&
      row.total_minor !== null && {
        total: { currency, minorUnits: row.total_minor },
      }),
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
  };
}

function toLine(line: LineColumn, currency: string): ReservationLine {
  return {
    sku: line.sku,
    quantity: line.quantity,
    unitPrice: { currency, minorUnits: BigInt(line.unit_price_minor) },
  };
}
