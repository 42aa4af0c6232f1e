import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createDatabase,
  type Database,
  type DatabaseOptions,
} from "../../../services/platform/data/database.ts";
import { isUniqueViolation } from "../../../services/platform/data/database-errors.ts";
import { eventually } from "../../support/eventually.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "data" });
});

afterAll(() => database.close());

describe("a database transaction", () => {
  it("commits what its function did", async () => {
    await using db = await setup();

    const answer = await db.transaction(async (tx) => {
      await insert(tx, "a", 1);
      return "done";
    });

    expect(answer).toBe("done");
    expect(await amounts(db)).toEqual({ a: 1n });
  });

  it("rolls back when its function throws, and gives the connection back clean", async () => {
    await using db = await setup({ poolSize: 1 });
    const fault = new Error("no");

    const attempt = db.transaction(async (tx) => {
      await insert(tx, "a", 1);
      throw fault;
    });

    await expect(attempt).rejects.toBe(fault);
    expect(await amounts(db)).toEqual({});
  });

  it("passes a constraint's refusal through, recognisable", async () => {
    await using db = await setup();
    await insert(db, "a", 1);

    const error: unknown = await db
      .transaction((tx) => insert(tx, "a", 2))
      .catch((reason: unknown) => reason);

    expect(isUniqueViolation(error, "account_pkey")).toBe(true);
    expect(isUniqueViolation(error, "another_constraint")).toBe(false);
    expect(await amounts(db)).toEqual({ a: 1n });
  });

  it("runs again after a serialization failure until the increments of all writers are in", async () => {
    await using db = await setup({ poolSize: 4 });
    await insert(db, "a", 0);
    const allHaveRead = Promise.withResolvers<void>();
    let runs = 0;

    await Promise.all(
      Array.from({ length: 4 }, () =>
        db.transaction(
          async (tx) => {
            const { rows } = await tx.query<{ amount: bigint }>(
              "select amount from account where id = 'a'",
            );
            const amount = (rows[0]?.amount ?? 0n) + 1n;
            runs += 1;
            if (runs === 4) allHaveRead.resolve();
            await allHaveRead.promise;
            await tx.query("update account set amount = $1 where id = 'a'", [
              amount,
            ]);
          },
          { isolation: "serializable" },
        ),
      ),
    );

    expect(await amounts(db)).toEqual({ a: 4n });
    expect(runs).toBeGreaterThan(4);
  });

  it("runs again after a deadlock", async () => {
    await using db = await setup({ poolSize: 2 });
    await insert(db, "a", 0);
    await insert(db, "b", 0);
    const bothHold = Promise.withResolvers<void>();
    let holding = 0;

    const move = (first: string, second: string): Promise<void> =>
      db.transaction(async (tx) => {
        await increment(tx, first);
        holding += 1;
        if (holding === 2) bothHold.resolve();
        await bothHold.promise;
        await increment(tx, second);
      });
    await Promise.all([move("a", "b"), move("b", "a")]);

    expect(await amounts(db)).toEqual({ a: 2n, b: 2n });
  });

  it("stops on an abort, ends the query on the server, and has no effect", async () => {
    await using db = await setup({ poolSize: 1 });
    const abort = new AbortController();
    const reason = new Error("the caller is gone");

    const attempt = db.transaction(
      async (tx) => {
        await insert(tx, "a", 1);
        setTimeout(() => abort.abort(reason), 20);
        await tx.query("select pg_sleep(60)");
      },
      { signal: abort.signal },
    );

    await expect(attempt).rejects.toBe(reason);
    await eventually("the server stops the query", async () => {
      const { rows } = await asAdmin<{ count: string }>(
        "select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active' and pid <> pg_backend_pid()",
      );
      return rows[0]?.count === "0";
    });
    expect(await amounts(db)).toEqual({});
  });

  it("answers an abort at once when its function waits for something else", async () => {
    await using db = await setup({ poolSize: 1 });
    const abort = new AbortController();

    const attempt = db.transaction(
      async (tx) => {
        await insert(tx, "a", 1);
        abort.abort(new Error("gone"));
        await new Promise(() => undefined);
      },
      { signal: abort.signal },
    );

    await expect(attempt).rejects.toThrow("gone");
    expect(await amounts(db)).toEqual({});
  });

  it("refuses a query after its end, so one that was not awaited cannot run in another's transaction", async () => {
    await using db = await setup();
    const late = await db.transaction((tx) =>
      Promise.resolve(() => insert(tx, "a", 1)),
    );

    await expect(late()).rejects.toThrow("a transaction that is over");

    expect(await amounts(db)).toEqual({});
  });

  it("fails a commit that the server turned into a rollback", async () => {
    await using db = await setup();

    const attempt = db.transaction(async (tx) => {
      await insert(tx, "a", 1);
      await tx.query("select 1 / 0").catch(() => undefined);
    });

    await expect(attempt).rejects.toThrow("rolled back");
    expect(await amounts(db)).toEqual({});
  });

  it("calls back after the commit, and only then", async () => {
    await using db = await setup();
    const seen: string[] = [];

    await db.transaction(async (tx) => {
      tx.onCommit(() => seen.push("committed"));
      await insert(tx, "a", 1);
      seen.push("inserted");
    });
    await db
      .transaction((tx) => {
        tx.onCommit(() => seen.push("never"));
        return Promise.reject(new Error("no"));
      })
      .catch(() => undefined);

    expect(seen).toEqual(["inserted", "committed"]);
  });

  it("prepares instead of committing when asked, for two-phase commit", async () => {
    await using db = await setup();
    const gid = `test-${crypto.randomUUID()}`;

    await db.transaction((tx) => insert(tx, "a", 1), { prepareAs: gid });
    const before = await amounts(db);
    await db.query(`commit prepared '${gid}'`);

    expect(before).toEqual({});
    expect(await amounts(db)).toEqual({ a: 1n });
  });

  it("says unavailable when the server ends its connection, and heals", async () => {
    await using db = await setup({ poolSize: 1 });

    const attempt = db.transaction(async (tx) => {
      await insert(tx, "a", 1);
      await asAdmin(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'transaction test'",
      );
      await insert(tx, "b", 1);
    });

    await expect(attempt).rejects.toMatchObject({
      code: "unavailable",
      reason: "DATABASE_UNAVAILABLE",
    });
    expect(await amounts(db)).toEqual({});
  });

  it("cuts off a statement that takes too long", async () => {
    await using db = await setup({ statementTimeoutMs: 100 });

    const attempt = db.transaction((tx) => tx.query("select pg_sleep(3)"));

    await expect(attempt).rejects.toMatchObject({
      code: "deadline_exceeded",
      reason: "STATEMENT_TIMEOUT",
    });
  });
});

describe("a database pool", () => {
  it("parses a statement with parameters once a connection", async () => {
    await using db = await setup({ poolSize: 1 });
    const sql = "select $1::integer as prepared";

    const answers = [
      await db.query(sql, [1]),
      await db.transaction((tx) => tx.query(sql, [2])),
    ];

    expect(answers.map(({ rows }) => rows)).toEqual([
      [{ prepared: 1 }],
      [{ prepared: 2 }],
    ]);
    const { rowCount } = await db.query(
      "select from pg_prepared_statements where statement = $1",
      [sql],
    );
    expect(rowCount).toBe(1);
  });

  it("tells a caller within its bound that no connection became free", async () => {
    await using db = await setup({ poolSize: 1, acquireTimeoutMs: 200 });
    const release = Promise.withResolvers<void>();
    const holder = await holding(db, release.promise);
    const start = performance.now();

    const waiting: unknown = await db
      .query("select 1")
      .catch((e: unknown) => e);

    const waited = performance.now() - start;
    release.resolve();
    await holder.done;
    expect(waiting).toMatchObject({
      code: "resource_exhausted",
      reason: "DATABASE_POOL_EXHAUSTED",
    });
    // Nobody gives the connection back before it is refused.
    expect(waited).toBeGreaterThan(150);
  });

  it("refuses a caller at once when the queue is full", async () => {
    await using db = await setup({ poolSize: 1, maxWaiting: 1 });
    const release = Promise.withResolvers<void>();
    const holder = db.transaction(() => release.promise);
    await eventually("the connection is taken", async () => {
      const { rows } = await asAdmin<{ state: string }>(
        "select state from pg_stat_activity where application_name = 'transaction test' and state = 'idle in transaction'",
      );
      return rows.length === 1;
    });
    const queued = db.query("select 1");

    const refused = db.query("select 1");

    await expect(refused).rejects.toMatchObject({ code: "resource_exhausted" });
    release.resolve();
    await Promise.all([holder, queued]);
  });

  it("gives no connection to a caller that is gone", async () => {
    await using db = await setup({ poolSize: 1 });
    const release = Promise.withResolvers<void>();
    const holder = db.transaction(() => release.promise);
    const abort = new AbortController();
    const queued = db.transaction(() => Promise.resolve("ran"), {
      signal: abort.signal,
    });

    abort.abort(new Error("gone"));

    await expect(queued).rejects.toThrow("gone");
    release.resolve();
    await holder;
    expect((await db.query("select 1")).rowCount).toBe(1);
  });

  it("says unavailable when there is no server", async () => {
    await using db = createDatabase({
      url: "postgres://nobody@127.0.0.1:1/none",
      applicationName: "none",
      logger: silentLogger,
    });

    const attempt = db.query("select 1");

    await expect(attempt).rejects.toMatchObject({
      code: "unavailable",
      reason: "DATABASE_UNAVAILABLE",
    });
  });

  it("reads int8 as bigint, timestamptz as Date and bytea as bytes", async () => {
    await using db = await setup();

    const { rows } = await db.query(
      "select $1::int8 as big, $2::timestamptz as at, $3::bytea as bytes, null::int8 as nothing",
      [2n ** 62n, new Date(1_000), new Uint8Array([1, 2])],
    );

    expect(rows).toEqual([
      {
        big: 2n ** 62n,
        at: new Date(1_000),
        bytes: Buffer.from([1, 2]),
        nothing: null,
      },
    ]);
  });
});

async function setup(
  options: Partial<DatabaseOptions> = {},
): Promise<Database> {
  // By another client: the limits of a test are not for this.
  await asAdmin(
    `create table if not exists data.account (id text primary key, amount int8 not null);
     alter table data.account owner to role_data;
     truncate data.account`,
  );
  return createDatabase({
    url: database.url,
    applicationName: "transaction test",
    acquireTimeoutMs: 20_000,
    logger: silentLogger,
    ...options,
  });
}

/** A transaction that has the connection until told; to connect may take longer than the pool waits. */
async function holding(db: Database, until: Promise<void>) {
  let done = Promise.resolve();
  await eventually("the connection is taken", () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    done = db.transaction(() => {
      resolve(true);
      return until;
    });
    done.catch(() => resolve(false));
    return promise;
  });
  return { done };
}

type Runner = Pick<Database, "query">;

async function insert(db: Runner, id: string, amount: number): Promise<void> {
  await db.query("insert into account (id, amount) values ($1, $2)", [
    id,
    amount,
  ]);
}

async function increment(db: Runner, id: string): Promise<void> {
  await db.query("update account set amount = amount + 1 where id = $1", [id]);
}

async function amounts(db: Runner): Promise<Record<string, bigint>> {
  const { rows } = await db.query<{ id: string; amount: bigint }>(
    "select id, amount from account order by id",
  );
  return Object.fromEntries(rows.map(({ id, amount }) => [id, amount]));
}

async function asAdmin<Row extends pg.QueryResultRow>(
  sql: string,
): Promise<pg.QueryResult<Row>> {
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  try {
    return await admin.query<Row>(sql);
  } finally {
    await admin.end();
  }
}
