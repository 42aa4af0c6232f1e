import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startOrderChanges } from "../../../services/order/app/order-changes.ts";
import type { Order } from "../../../services/order/domain/order.ts";
import { cancel } from "../../../services/order/domain/saga.ts";
import {
  changesAfter,
  endOfChanges,
  type ChangeCursor,
} from "../../../services/order/store/order-changes.ts";
import {
  pruneChanges,
  readLog,
} from "../../../services/order/store/order-log.ts";
import { updateOrder } from "../../../services/order/store/orders.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { storeOrder } from "./stored-order.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "order" });
});
afterAll(() => database.close());

const forever = new AbortController().signal;

/** The database, whose queries the test counts and can hold back. */
function setup() {
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "order test",
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  const statements: string[] = [];
  let gate: Promise<unknown> = Promise.resolve();
  const observed: typeof db = {
    ...db,
    async query<Row extends object>(sql: string, params?: readonly unknown[]) {
      statements.push(sql);
      await gate;
      return db.query<Row>(sql, params);
    },
  };
  const tenant = `tenant-${randomUUID()}`;
  return {
    db,
    statements,
    /** Holds queries back until it is called. */
    holdQueries() {
      const held = Promise.withResolvers<void>();
      gate = held.promise;
      return held.resolve;
    },
    start(options: { pollMs?: number } = {}) {
      const stopping = new AbortController();
      const changes = startOrderChanges(
        {
          db: observed,
          logger: silentLogger,
          now: () => new Date(),
          ...options,
        },
        stopping.signal,
      );
      onTestFinished(() => {
        stopping.abort();
        return changes.done();
      });
      return changes;
    },
    async placeOrder(): Promise<Order> {
      const coordination = "orchestrated";
      const at = new Date();
      return storeOrder(db, { tenant, coordination, at });
    },
    async change(order: Order): Promise<Order> {
      const next = cancel(order, new Date());
      await updateOrder(db, next, order.version, new Date());
      return next;
    },
  };
}

/** What the log tells of one order, change by change, up to its version `last`; waits for whoever writes in the cluster. */
async function toldOf(db: Database, start: ChangeCursor, last: Order) {
  let cursor = start;
  const told: Order[] = [];
  await eventually("the last change is told", async () => {
    const { changes, ...read } = await changesAfter(db, {
      after: cursor,
      limit: 1,
    });
    cursor = read.cursor;
    const orders = changes.map(({ order }) => order);
    told.push(...orders.filter(({ id }) => id === last.id));
    return told.at(-1)?.version === last.version;
  });
  return { told, cursor };
}

async function loggedVersions(db: Database, { id }: Order): Promise<bigint[]> {
  const { rows } = await db.query<{ version: bigint }>(
    `select version from order_changes where order_id = $1 order by version`,
    [id],
  );
  return rows.map(({ version }) => version);
}

test("the log has each version of an order, and tells the newest alone", async () => {
  const { db, placeOrder, change } = setup();
  const start = await endOfChanges(db);
  const order = await change(await placeOrder());

  const { told, cursor } = await toldOf(db, start, order);
  const after = await changesAfter(db, { after: cursor, limit: 100 });

  expect(await loggedVersions(db, order)).toEqual([1n, 2n]);
  expect(told).toEqual([order]);
  expect(after.changes.map(({ order: { id } }) => id)).not.toContain(order.id);
});

test("a refused update leaves no trace in the log", async () => {
  const { db, placeOrder, change } = setup();
  const order = await placeOrder();
  await change(order);

  await change(order);

  expect(await loggedVersions(db, order)).toEqual([1n, 2n]);
});

test("a pruned log has forgotten what is old, and only that", async () => {
  const { db, placeOrder } = setup();
  const old = await placeOrder();
  const before = new Date(old.createdAt.getTime() + 1);
  await eventually("a millisecond has passed", () => new Date() >= before);
  const young = await placeOrder();

  await eventually("the old one is forgotten", async () => {
    await pruneChanges(db, before, 1);
    return (await loggedVersions(db, old)).length === 0;
  });

  expect(await loggedVersions(db, young)).toEqual([1n]);
});

test("a reader whose place is forgotten is told so, and none behind it", async () => {
  const { db, placeOrder } = setup();
  const start = await endOfChanges(db);
  const order = await placeOrder();
  const { cursor } = await toldOf(db, start, order);

  const before = new Date(order.createdAt.getTime() + 1);
  await eventually("it is forgotten", async () => {
    await pruneChanges(db, before, 100);
    return (await loggedVersions(db, order)).length === 0;
  });
  const old = await changesAfter(db, { after: start, limit: 1 });
  const young = await changesAfter(db, { after: cursor, limit: 1 });
  const { pruned } = await readLog(db);

  expect(old.isLost).toBe(true);
  expect(young.isLost).toBe(false);
  expect(BigInt(pruned.xid)).toBeGreaterThan(0n);
});

test("a place that the cluster has not reached is another cluster's", async () => {
  const { db } = setup();
  const { xid } = await endOfChanges(db);
  const after = { xid: (BigInt(xid) + 1_000_000_000n).toString(), seq: "0" };

  expect(await changesAfter(db, { after, limit: 1 })).toMatchObject({
    isLost: true,
  });
});

test("a subscription is there only when no change can be missed any more", async () => {
  const { start, placeOrder, holdQueries } = setup();
  const open = holdQueries();
  const changes = start();
  const heard: Order[] = [];
  let isThere = false;

  const subscribing = changes
    .subscribe(({ order }) => heard.push(order), forever)
    .finally(() => (isThere = true));
  // Nothing tells yet where the log ends: this order may be missed.
  await placeOrder();
  const wasThere = isThere;
  open();
  using _ = await subscribing;
  const order = await placeOrder();

  await eventually("the order is heard", () =>
    heard.some(({ id }) => id === order.id),
  );
  expect(wasThere).toBe(false);
});

test("a subscription that is not there yet ends with its signal", async () => {
  const { start, holdQueries } = setup();
  const open = holdQueries();
  const changes = start();
  onTestFinished(() => open());

  using subscription = await changes.subscribe(
    () => undefined,
    AbortSignal.timeout(20),
  );

  expect(subscription).toBeDefined();
});

/** Longer than a test: what is heard is heard without it. */
const never = { pollMs: 3_600_000 };

test("a commit of this process is heard without waiting for the poll", async () => {
  const { db, start, placeOrder } = setup();
  const changes = start(never);
  const heard = new Set<string>();
  using _ = await changes.subscribe(
    ({ order }) => heard.add(order.id),
    forever,
  );

  for (let round = 0; round < 10; round += 1) {
    const order = await placeOrder();
    await nobodyHoldsBack(db);
    changes.wake();
    await eventually("the order is heard", () => heard.has(order.id));
  }
});

test("nobody reads the log while nobody listens, and a later listener begins at its end", async () => {
  const { db, start, statements, placeOrder } = setup();
  const changes = start();
  const subscription = await changes.subscribe(() => undefined, forever);
  subscription[Symbol.dispose]();
  await roundTrips();
  const before = statements.length;

  await placeOrder();
  await roundTrips();
  const after = statements.length;
  using _ = await changes.subscribe(() => undefined, forever);

  expect(after).toBe(before);
  expect(statements[after]).toContain("select pg_snapshot_xmin");

  /** Time enough for a reader to read. */
  async function roundTrips() {
    for (let left = 30; left > 0; left -= 1) {
      changes.wake();
      await db.query("select 1");
    }
  }
});

test("reads on without a pause while the log is long", async () => {
  const { db, start, placeOrder } = setup();
  const changes = start(never);
  const heard = new Set<string>();
  using _ = await changes.subscribe(
    ({ order: { id } }) => heard.add(id),
    forever,
  );
  await db.query(
    `with inserted as (
       insert into orders (
         id, tenant, customer, request_hash, state, lines, version,
         created_at, updated_at, settled_at
       )
       select uuidv7(), 'many', 'ada', '', 'completed', '[]', 1, now(), now(), now()
       from generate_series(1, 6_000)
       returning tenant, id, version, created_at
     )
     insert into order_changes (tenant, order_id, version, changed_at)
     select tenant, id, version, created_at
     from inserted`,
  );
  const order = await placeOrder();
  await nobodyHoldsBack(db);
  changes.wake();
  await eventually("the last is heard", () => heard.has(order.id));

  // More than twelve reads take at a time.
  expect(heard.size).toBeGreaterThanOrEqual(6_001);
});

/** Waits until the log tells all that is in it: other test files hold the whole cluster's back while they write. */
function nobodyHoldsBack(db: Database): Promise<void> {
  return eventually("the log tells all", async () => {
    const { xid } = await endOfChanges(db);
    const { rowCount } = await db.query(
      "select from order_changes where xid >= $1::text::xid8 limit 1",
      [xid],
    );
    return rowCount === 0;
  });
}
