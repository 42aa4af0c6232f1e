import type { Executor } from "../../platform/data/executor.ts";
import { patience, recordSet } from "../../platform/data/record-set.ts";
import {
  outboxColumns,
  outboxRecord,
  type OutboxRow,
} from "../../platform/events/outbox-rows.ts";
import type { Reservation } from "../domain/reservation.ts";

/** A held reservation in the state that it is to come to, and the event that tells of it. */
export interface SettledReservation {
  readonly reservation: Reservation;
  readonly event: OutboxRow;
}

/** Confirms those of the reservations that are held, as {@link settleTogether} says. */
export function confirmTogether(
  db: Executor,
  items: readonly SettledReservation[],
): Promise<ReadonlySet<number>> {
  return settleTogether(db, confirms, items);
}

/** Releases those of the reservations that are held, as {@link settleTogether} says. */
export function releaseTogether(
  db: Executor,
  items: readonly SettledReservation[],
): Promise<ReadonlySet<number>> {
  return settleTogether(db, releases, items);
}

/**
 * Moves the reservations that are held now, their stock, and their events, as one statement, which is a transaction by
 * itself. The others are left as they are. No two may have one id.
 *
 * @returns which were moved, by their place in the list.
 */
async function settleTogether(
  db: Executor,
  statement: string,
  items: readonly SettledReservation[],
): Promise<ReadonlySet<number>> {
  const reservations = items.map(({ reservation }, n) => ({
    n,
    tenant: reservation.tenant,
    id: reservation.id,
    updated_at: reservation.updatedAt,
  }));
  const units = items.flatMap(({ reservation }, n) =>
    reservation.lines.map(({ sku, quantity }) => ({ n, sku, quantity })),
  );
  const { rows } = await db.query<{ n: number }>(statement, [
    recordSet(reservations),
    items.length,
    recordSet(units),
    units.length,
    recordSet(items.map(({ event }, n) => ({ n, ...event }))),
  ]);
  return new Set(rows.map(({ n }) => n));
}

const confirms = statementFor(
  "confirmed",
  `reserved = stock.reserved - locked.quantity,
         sold = stock.sold + locked.quantity`,
);

const releases = statementFor(
  "released",
  `available = stock.available + locked.quantity,
         reserved = stock.reserved - locked.quantity`,
);

/** Reservations before products, as everywhere: two transactions that lock both never wait for each other in a ring. */
function statementFor(state: "confirmed" | "released", moves: string): string {
  return `with ${patience},
     moved as materialized (
       select n, tenant, id, updated_at
       from json_to_recordset($1) as moved (n integer, tenant text, id uuid, updated_at timestamptz)
       limit $2
     ),
     saved as (
       update reservations
       set state = '${state}',
         updated_at = moved.updated_at
       from patience
       cross join moved
       where reservations.tenant = moved.tenant
         and reservations.id = moved.id
         and reservations.state = 'held'
       returning moved.n, moved.tenant, moved.updated_at
     ),
     unit as materialized (
       select n, sku, quantity
       from json_to_recordset($3) as unit (n integer, sku text, quantity integer)
       limit $4
     ),
     locked as materialized (
       select stock.tenant, stock.sku, needed.quantity, needed.at
       from (
         select saved.tenant, unit.sku, sum(unit.quantity)::bigint as quantity, max(saved.updated_at) as at
         from saved
         join unit using (n)
         group by saved.tenant, unit.sku
       ) as needed
       join stock on stock.tenant = needed.tenant and stock.sku = needed.sku
       order by stock.tenant, stock.sku
       for no key update of stock
     ),
     stocked as (
       update stock
       set ${moves},
         version = stock.version + 1,
         updated_at = greatest(stock.updated_at, locked.at)
       from locked
       where stock.tenant = locked.tenant
         and stock.sku = locked.sku
     ),
     announced as (
       insert into outbox (${outboxColumns})
       select ${outboxColumns}
       from json_to_recordset($5) as event (n integer, ${outboxRecord})
       where n in (select n from saved)
       order by n
     )
     select n
     from saved`;
}
