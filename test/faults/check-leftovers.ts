import type pg from "pg";
import { SCHEMAS } from "./schemas.ts";

const COUNTS: readonly (readonly [what: string, sql: string])[] = [
  [
    "prepared transactions",
    "select count(*) from pg_prepared_xacts where database = current_database()",
  ],
  [
    "held reservations",
    "select count(*) from inventory.reservations where state = 'held'",
  ],
  [
    "orders that are due",
    "select count(*) from orders.orders where due_at is not null",
  ],
  ...SCHEMAS.flatMap((schema) => [
    [
      `keys of ${schema} that wait in retry`,
      `select count(*) from ${schema}.parked_key`,
    ] as const,
    [
      `parked events of ${schema}`,
      `select count(*) from ${schema}.parked_event`,
    ] as const,
  ]),
  ["dead letters", "select count(*) from events.dead_letters"],
];

/** What nobody is at work on any more, and should be gone soon after every order is settled. */
export async function leftovers(admin: pg.Client): Promise<string[]> {
  const faults: string[] = [];
  for (const [what, sql] of COUNTS) {
    const { rows } = await admin.query<{ count: string }>(sql);
    const count = rows[0]?.count;
    if (count !== "0") faults.push(`${count} ${what} are left`);
  }
  return faults;
}
