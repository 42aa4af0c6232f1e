import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "../../../services/platform/data/migrate.ts";
import { leftovers } from "../../faults/check-leftovers.ts";
import { SCHEMAS } from "../../faults/schemas.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

let database: TestDatabase;
let admin: pg.Client;

beforeAll(async () => {
  database = await setupDatabase({ service: "inventory" });
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  for (const [service, schema] of [
    ["order", "orders"],
    ["payment", "payment"],
    ["events", "events"],
  ] as const) {
    await addSchema(service, schema);
  }
}, 60_000);

beforeEach(async () => {
  for (const schema of SCHEMAS) {
    await admin.query(`truncate ${schema}.parked_key, ${schema}.parked_event`);
  }
});

afterAll(async () => {
  await admin.end();
  await database.close();
});

test("nothing is left in databases of which nothing was asked", async () => {
  expect(await leftovers(admin)).toEqual([]);
});

test.each(SCHEMAS)("what %s has parked is found", async (schema) => {
  await park(schema);

  expect(await leftovers(admin)).toEqual([
    `1 keys of ${schema} that wait in retry are left`,
    `1 parked events of ${schema} are left`,
  ]);
});

/** Beside Inventory's, whose template the database is of. */
async function addSchema(service: string, schema: string): Promise<void> {
  const url = new URL(database.adminUrl);
  url.searchParams.set("options", `-c search_path=${schema}`);
  const folder = new URL(
    `../../../services/${service}/migrations`,
    import.meta.url,
  );
  await admin.query(`create schema ${schema}`);
  await migrate({
    url: url.href,
    schema,
    folder: fileURLToPath(folder),
    logger: silentLogger,
  });
}

async function park(schema: string): Promise<void> {
  await admin.query(`
    insert into ${schema}.parked_key (
      consumer_group, topic, key, event_id, attempts, round, due_at
    )
    values ('a group', 'a topic', 'a key', 'an event', 1, 1, now())
  `);
  await admin.query(`
    insert into ${schema}.parked_event (
      consumer_group, topic, key, event_id, partition, record_offset, headers, value
    )
    values ('a group', 'a topic', 'a key', 'an event', 0, 0, '{}', '')
  `);
}
