import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import {
  Order_State as State,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { WatchOrdersResponse } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { pruneChanges } from "../../../services/order/store/order-log.ts";
import { eventually } from "../../support/eventually.ts";
import {
  inState,
  placed,
  refusalOf,
  setupWorld,
  twoMugs,
  type OrderClient,
  type World,
} from "./order-world.ts";

const WRITERS = 12;
const ORDERS_EACH = 6;
const READERS = 20;

/** A client's copy of all orders, by name; what it got wrong on the way. */
interface Copy {
  readonly orders: Map<string, Order>;
  readonly faults: string[];
  resumes: number;
}

test(
  `${READERS} readers that disconnect end with what ${WRITERS} writers wrote: nothing missing, doubled, out of order or stale`,
  { timeout: 120_000 },
  async () => {
    const world = await setupWorld();
    const users = [world.start(), world.start()].map((process) =>
      process.user(),
    );
    const user = (index: number) => users[index % users.length] as OrderClient;
    const quiet = new AbortController();
    onTestFinished(() => quiet.abort());

    const writing = Promise.all([
      ...Array.from({ length: WRITERS }, (_unused, index) =>
        write(user(index)),
      ),
      holdBack(world, quiet.signal),
    ]);
    const copies = Array.from({ length: READERS }, emptyCopy);
    const reading = copies.map((copy, index) =>
      keepCopy(user(index + 1), copy, index, quiet.signal),
    );
    await allSettled(world, WRITERS * ORDERS_EACH);
    const truth = await truthOf(world);
    await eventually(
      "every reader has caught up",
      () => copies.every((copy) => differences(copy, truth).length === 0),
      30_000,
    ).catch(() => undefined);
    quiet.abort();
    await Promise.all([...reading, writing]);

    for (const copy of copies) {
      expect(differences(copy, truth)).toEqual([]);
      expect(copy.faults).toEqual([]);
    }
    expect(copies.some(({ resumes }) => resumes > 2)).toBe(true);
  },
);

/** Places orders, some of which are cancelled at once. */
async function write(user: OrderClient): Promise<void> {
  for (let left = ORDERS_EACH; left > 0; left -= 1) {
    const { name } = await placed(user, { ...twoMugs(), wait: left % 2 === 0 });
    if (left % 3 === 0) {
      await user.cancelOrder({ name }).catch(() => undefined);
    }
  }
}

/** Holds a transaction open now and then, as slow writers and prepared transactions do. */
async function holdBack(world: World, until: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: world.database.url });
  await client.connect();
  while (!until.aborted) {
    await client.query("begin; select pg_current_xact_id()");
    await delay(150);
    await client.query("commit");
    await delay(20);
  }
  await client.end();
}

function emptyCopy(): Copy {
  return { orders: new Map(), faults: [], resumes: 0 };
}

/** Lists, then watches; hangs up after some messages and goes on with the last token. */
async function keepCopy(
  user: OrderClient,
  copy: Copy,
  patience: number,
  until: AbortSignal,
): Promise<void> {
  // Begins while orders are being written.
  await delay(patience * 20);
  let token = await readPages(user, copy);
  const told = new Map<string, number>();
  while (!until.aborted) {
    const hangUp = new AbortController();
    const signal = AbortSignal.any([until, hangUp.signal]);
    let left = 1 + (patience % 7);
    try {
      for await (const message of watching(user, token, signal)) {
        token = message.resumeToken;
        if (message.event.case === "order") {
          take(copy, told, message.event.value);
        }
        if ((left -= 1) === 0) break;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    hangUp.abort();
    copy.resumes += 1;
  }
}

function watching(user: OrderClient, resumeToken: string, signal: AbortSignal) {
  // The router's transport types its stream less exactly than it is.
  return user.watchOrders(
    { resumeToken },
    { signal },
  ) as AsyncIterable<WatchOrdersResponse>;
}

async function readPages(user: OrderClient, copy: Copy): Promise<string> {
  let pageToken = "";
  let resumeToken = "";
  do {
    const page = await user.listOrders({ pageSize: 7, pageToken });
    for (const order of page.orders) {
      if (copy.orders.has(order.name)) copy.faults.push("listed twice");
      copy.orders.set(order.name, order);
    }
    pageToken = page.nextPageToken;
    resumeToken = page.resumeToken;
  } while (pageToken !== "");
  return resumeToken;
}

function take(copy: Copy, told: Map<string, number>, order: Order): void {
  const version = versionOf(order);
  if (version <= (told.get(order.name) ?? 0)) {
    copy.faults.push(`${order.name}: told ${version} again or too late`);
  }
  const known = copy.orders.get(order.name);
  if (known && version < versionOf(known)) {
    copy.faults.push(`${order.name}: ${version} is older than what is known`);
  }
  told.set(order.name, version);
  copy.orders.set(order.name, order);
}

function versionOf({ etag }: Order): number {
  return Number(etag.slice(1, -1));
}

async function allSettled(world: World, count: number): Promise<void> {
  await eventually(
    "all orders are settled",
    async () => {
      const { rows } = await world.db.query<{ settled: bigint }>(
        "select count(*) as settled from orders where settled_at is not null",
      );
      return rows[0]?.settled === BigInt(count);
    },
    60_000,
  );
}

async function truthOf(world: World): Promise<Map<string, number>> {
  const { rows } = await world.db.query<{ id: string; version: bigint }>(
    "select id, version from orders where tenant = $1",
    [world.tenant],
  );
  return new Map(
    rows.map(({ id, version }) => [`orders/${id}`, Number(version)]),
  );
}

function differences(
  { orders }: Copy,
  truth: ReadonlyMap<string, number>,
): string[] {
  const missing = [...truth].filter(([name, version]) => {
    const order = orders.get(name);
    return order === undefined || versionOf(order) !== version;
  });
  const invented = [...orders.keys()].filter((name) => !truth.has(name));
  return [...missing.map(([name]) => name), ...invented];
}

test("a watch from a list tells of what was being committed while the list was read", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const late = new pg.Client({ connectionString: world.database.url });
  await late.connect();
  onTestFinished(() => late.end());
  await late.query("begin");
  const { rows } = await late.query<{ id: string }>(
    `with inserted as (
       insert into orders (
         id, tenant, customer, request_hash, state, lines, version,
         created_at, updated_at, settled_at
       )
       values (uuidv7(), $1, 'ada', '', 'completed', '[]', 1, now(), now(), now())
       returning tenant, id, version, created_at
     ), logged as (
       insert into order_changes (tenant, order_id, version, changed_at)
       select tenant, id, version, created_at
       from inserted
     )
     select id
     from inserted`,
    [world.tenant],
  );
  // Its transaction is younger than the open one, and over.
  await placed(user, { ...twoMugs(), wait: true });

  const { orders, resumeToken } = await user.listOrders({});
  await late.query("commit");
  const name = `orders/${rows[0]?.id}`;
  const told = await toldUntil(user, resumeToken, name);

  expect(orders.map((order) => order.name)).not.toContain(name);
  expect(told).toContain(name);
});

/** The names that a watch tells up to this one, or within ten seconds. */
async function toldUntil(user: OrderClient, token: string, name: string) {
  const told: string[] = [];
  const signal = AbortSignal.timeout(10_000);
  try {
    for await (const { event } of watching(user, token, signal)) {
      if (event.case === "order") told.push(event.value.name);
      if (told.at(-1) === name) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return told;
}

test("a token of another tenant, or of nobody, is refused", async () => {
  const world = await setupWorld();
  const process = world.start();
  const { resumeToken } = await process.user().listOrders({});
  const stranger = process.user("another-tenant");
  const { nextPageToken } = await pageOf(process.user());

  for (const [user, token] of [
    [stranger, resumeToken],
    [process.user(), `${resumeToken.slice(0, -4)}AAAA`],
    [process.user(), nextPageToken],
    [process.user(), "nonsense"],
  ] as const) {
    expect(await refusalOf(first(user, token))).toMatchObject({
      code: "InvalidArgument",
      reason: "RESUME_TOKEN_INVALID",
    });
  }
});

test("a token past the log's memory, or of another cluster, is told to begin anew", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const { nextPageToken, resumeToken } = await pageOf(user);
  const { name } = await placed(user, { ...twoMugs(), wait: true });
  await inState(user, name, State.COMPLETED);

  world.pass(2 * 3_600_000);
  await forgetAll(world);
  const refusals = [
    await refusalOf(first(user, resumeToken)),
    await refusalOf(user.listOrders({ pageSize: 1, pageToken: nextPageToken })),
  ];
  const fresh = await pageOf(user);
  const again = await user.listOrders({
    pageSize: 1,
    pageToken: fresh.nextPageToken,
  });

  expect(refusals).toMatchObject([
    { code: "OutOfRange", reason: "RESUME_TOKEN_EXPIRED" },
    { code: "OutOfRange", reason: "PAGE_TOKEN_EXPIRED" },
  ]);
  expect(again.orders).toHaveLength(1);
});

test("a heartbeat's token moves on while nothing of the tenant changes", async () => {
  const world = await setupWorld();
  const process = world.start({ heartbeatMs: 30 });
  const { resumeToken } = await process.user().listOrders({});
  const tokens: string[] = [];
  const ending = new AbortController();
  const read = async () => {
    for await (const message of watching(
      process.user(),
      resumeToken,
      ending.signal,
    )) {
      if (message.event.case === "heartbeat") tokens.push(message.resumeToken);
    }
  };
  const reading = read().catch(() => undefined);
  await placed(process.user("another-tenant"), { ...twoMugs(), wait: true });
  await eventually("a later heartbeat", () => tokens.length > 3);
  await forgetAll(world);
  await eventually("the other tenant's changes are passed", async () => {
    return (await outcome(process.user(), tokens.at(-1) ?? "")) === "open";
  });
  ending.abort();
  await reading;

  expect(await refusalOf(first(process.user(), resumeToken))).toMatchObject({
    reason: "RESUME_TOKEN_EXPIRED",
  });
});

test("a watch of one order needs no token", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const { resumeToken } = await user.listOrders({});
  const { name } = await placed(user);

  const refusal = await refusalOf(
    Array.fromAsync(
      user.watchOrders({ name, resumeToken }) as AsyncIterable<unknown>,
    ),
  );

  expect(refusal).toMatchObject({ reason: "INVALID_FIELD" });
});

/** Whatever is in the log; other tests' transactions may hold some of it back for a while. */
async function forgetAll({ db, now }: World): Promise<void> {
  await eventually("the log is empty", async () => {
    await pruneChanges(db, new Date(now().getTime() + 1), 1_000);
    const { rowCount } = await db.query("select 1 from order_changes limit 1");
    return rowCount === 0;
  });
}

/** The first page of two. */
async function pageOf(user: OrderClient) {
  await placed(user);
  await placed(user);
  return user.listOrders({ pageSize: 1 });
}

/** The first message of a resumed watch. */
async function first(user: OrderClient, token: string): Promise<unknown> {
  const ending = new AbortController();
  try {
    for await (const message of watching(user, token, ending.signal)) {
      return message;
    }
    return undefined;
  } finally {
    ending.abort();
  }
}

async function outcome(user: OrderClient, token: string): Promise<string> {
  try {
    await first(user, token);
    return "open";
  } catch {
    return "refused";
  }
}
