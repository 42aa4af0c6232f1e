import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { createDatabase } from "../../../services/platform/data/database.ts";
import { migrate } from "../../../services/platform/data/migrate.ts";
import { setupDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const SCHEMA = "data";

describe("migrate", () => {
  it("makes the platform's tables in the service's schema, owned by the service's role", async () => {
    await using world = await setup();

    const { rows } = await world.db.query(
      `select tablename as name, tableowner as owner
       from pg_tables
       where schemaname = $1 and tablename in ('outbox', 'inbox', 'relay_lease')
       order by tablename`,
      [SCHEMA],
    );

    const owner = `role_${SCHEMA}`;
    expect(rows).toEqual([
      { name: "inbox", owner },
      { name: "outbox", owner },
      { name: "relay_lease", owner },
    ]);
  });

  it("applies each file once when several instances start together", async () => {
    await using world = await setup({
      "001_item.sql": "create table item (id int primary key);",
      "002_first.sql": "insert into item (id) values (1);",
    });

    await Promise.all(Array.from({ length: 4 }, () => world.migrate()));

    const { rows } = await world.db.query("select id from item");
    expect(rows).toEqual([{ id: 1 }]);
  });

  it("leaves the schema as it was when a file fails, and names the schema and the cause", async () => {
    await using world = await setup({
      "001_item.sql": "create table item (id int primary key);",
      "002_bad.sql": "insert into missing (id) values (1);",
    });

    const error: unknown = await world
      .migrate()
      .catch((reason: unknown) => reason);

    expect(error).toMatchObject({
      message: `migration of schema "${SCHEMA}" failed`,
    });
    expect(error instanceof Error && error.cause).toBeInstanceOf(
      pg.DatabaseError,
    );
    const { rows } = await world.db.query("select to_regclass('item') as item");
    expect(rows).toEqual([{ item: null }]);
  });

  it("refuses a file that was slipped in before one that is applied", async () => {
    await using world = await setup({
      "002_item.sql": "create table item (id int);",
    });
    await world.migrate();
    await world.write("001_late.sql", "create table late (id int);");

    const attempt = world.migrate();

    await expect(attempt).rejects.toMatchObject({
      cause: { message: expect.stringContaining("001_late") },
    });
  });

  it("lets others read a table that it waits for, and has it in the end", async () => {
    await using world = await setup({
      "001_item.sql": "create table item (id int);",
    });
    await world.migrate();
    await using reader = await world.readFor("item");
    await world.write("002_name.sql", "alter table item add name text;");
    const migrated = world.migrate();
    await eventually("it waits for the reader", () => world.hasLockWaiter());

    await world.db.query("select id from item");

    await reader[Symbol.asyncDispose]();
    await migrated;
    await world.db.query("select name from item");
  });

  it("gives up when another instance holds the lock for too long", async () => {
    await using world = await setup({
      "001_item.sql": "create table item (id int);",
    });
    await world.migrate();
    await using reader = await world.readFor("item");
    await world.write("002_name.sql", "alter table item add name text;");
    const slow = world.migrate();
    await eventually("it waits for the reader", () => world.hasLockWaiter());

    const impatient = world.migrate({ lockTimeoutMs: 100 });

    await expect(impatient).rejects.toMatchObject({ cause: { code: "55P03" } });
    await reader[Symbol.asyncDispose]();
    await slow;
  });
});

async function setup(files: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack();
  const { url } = stack.use(await setupDatabase({ service: SCHEMA }));
  const db = stack.use(
    createDatabase({
      url,
      applicationName: "migrate test",
      acquireTimeoutMs: 20_000,
      logger: silentLogger,
    }),
  );
  const folder = await mkdtemp(join(tmpdir(), "weft-migrations-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const write = (name: string, sql: string): Promise<void> =>
    writeFile(join(folder, name), sql);
  for (const [name, sql] of Object.entries(files)) await write(name, sql);
  return {
    db,
    write,
    migrate: (options: { lockTimeoutMs?: number } = {}) =>
      migrate({
        url,
        schema: SCHEMA,
        folder,
        logger: silentLogger,
        ...options,
      }),
    /** Reads the table in a transaction that stays open until it is disposed of. */
    async readFor(table: string) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query("begin");
      await client.query(`select from ${SCHEMA}.${table}`);
      return {
        isOpen: true,
        async [Symbol.asyncDispose]() {
          if (this.isOpen) await client.end();
          this.isOpen = false;
        },
      };
    },
    async hasLockWaiter() {
      const { rowCount } = await db.query(
        `select from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rowCount > 0;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
