import type { Executor } from "../../platform/data/executor.ts";
import { patience, recordSet } from "../../platform/data/record-set.ts";
import {
  outboxColumns,
  outboxRecord,
  type OutboxRow,
} from "../../platform/events/outbox-rows.ts";
import type { Reservation } from "../domain/reservation.ts";

/** A reservation to be made, and the event that tells of it. */
export interface NewReservation {
  readonly reservation: Reservation;
  readonly event: OutboxRow;
}

/**
 * Makes the reservations whose stock suffices for all of the batch, with their stock and their events, as one statement,
 * which is a transaction by itself. Left as they are: reservations whose id is taken, and those that want a product of
 * which the batch wants more than there is. No two may have one id.
 *
 * A product is locked once a batch, in (tenant, sku) order, however many reservations want it.
 *
 * @returns which were made, by their place in the list.
 */
export async function reserveTogether(
  db: Executor,
  items: readonly NewReservation[],
): Promise<ReadonlySet<number>> {
  const lines = items.flatMap(({ reservation }, n) =>
    reservation.lines.map(({ sku, quantity, unitPrice }) => ({
      n,
      tenant: reservation.tenant,
      sku,
      quantity,
      unit_price_minor: unitPrice.minorUnits,
    })),
  );
  const { rows } = await db.query<{ n: number }>(statement, [
    recordSet(
      items.map(({ reservation }, n) => reservationRow(reservation, n)),
    ),
    items.length,
    recordSet(lines),
    lines.length,
    recordSet(items.map(({ event }, n) => ({ n, ...event }))),
  ]);
  return new Set(rows.map(({ n }) => n));
}

function reservationRow(reservation: Reservation, n: number) {
  return {
    n,
    tenant: reservation.tenant,
    id: reservation.id,
    order_name: reservation.order,
    state: reservation.state,
    currency: reservation.total?.currency,
    total_minor: reservation.total?.minorUnits,
    expires_at: reservation.expiresAt,
    created_at: reservation.createdAt,
  };
}

// The limits tell the planner how many rows there are: it takes every record set for a hundred.
const statement = `with ${patience},
     wanted as materialized (
       select n, tenant, id, order_name, state, currency, total_minor, expires_at, created_at
       from json_to_recordset($1) as wanted (
         n integer, tenant text, id uuid, order_name text, state text, currency text, total_minor bigint,
         expires_at timestamptz, created_at timestamptz
       )
       limit $2
     ),
     line as materialized (
       select n, tenant, sku, quantity, unit_price_minor
       from json_to_recordset($3) as line (
         n integer, tenant text, sku text, quantity integer, unit_price_minor bigint
       )
       limit $4
     ),
     locked as materialized (
       select stock.tenant, stock.sku, stock.available >= needed.quantity as suffices
       from patience
       cross join (
         select tenant, sku, sum(quantity)::bigint as quantity
         from line
         group by tenant, sku
       ) as needed
       join stock on stock.tenant = needed.tenant and stock.sku = needed.sku
       order by stock.tenant, stock.sku
       for no key update of stock
     ),
     admitted as materialized (
       select line.n
       from line
       left join locked on locked.tenant = line.tenant and locked.sku = line.sku
       group by line.n
       having bool_and(coalesce(locked.suffices, false))
     ),
     made as (
       insert into reservations
         (tenant, id, order_name, state, currency, total_minor, expires_at, created_at, updated_at)
       select tenant, id, order_name, state, currency, total_minor, expires_at, created_at, created_at
       from wanted
       join admitted using (n)
       on conflict (tenant, id) do nothing
       returning tenant, id
     ),
     done as materialized (
       select wanted.n, wanted.tenant, wanted.id, wanted.created_at
       from wanted
       join made on made.tenant = wanted.tenant and made.id = wanted.id
     ),
     lined as (
       insert into reservation_lines (tenant, reservation_id, sku, quantity, unit_price_minor)
       select done.tenant, done.id, line.sku, line.quantity, line.unit_price_minor
       from done
       join line using (n)
     ),
     taken as (
       update stock
       set available = stock.available - moved.quantity,
         reserved = stock.reserved + moved.quantity,
         version = stock.version + 1,
         updated_at = greatest(stock.updated_at, moved.at)
       from (
         select line.tenant, line.sku, sum(line.quantity)::bigint as quantity, max(done.created_at) as at
         from done
         join line using (n)
         group by line.tenant, line.sku
       ) as moved
       where stock.tenant = moved.tenant
         and stock.sku = moved.sku
     ),
     announced as (
       insert into outbox (${outboxColumns})
       select ${outboxColumns}
       from json_to_recordset($5) as event (n integer, ${outboxRecord})
       where n in (select n from done)
       order by n
     )
     select n
     from done`;
