import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import {
  Order_State as State,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { WatchOrdersResponse } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import type { OrderChanges } from "../../../services/order/app/order-changes.ts";
import {
  watchOrder,
  watchOrders,
} from "../../../services/order/app/watch-orders.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { eventually } from "../../support/eventually.ts";
import {
  placed,
  refusalOf,
  setupWorld,
  twoMugs,
  type OrderClient,
  type World,
} from "./order-world.ts";

/** A watch that is read as it comes; ended with the test. */
function watch(user: OrderClient, name = "") {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const orders: Order[] = [];
  const heartbeats: Date[] = [];
  const read = async () => {
    const stream = user.watchOrders({ name }, { signal: ending.signal });
    for await (const {
      event,
    } of stream as AsyncIterable<WatchOrdersResponse>) {
      if (event.case === "order") orders.push(event.value);
      if (event.case === "heartbeat") heartbeats.push(new Date());
    }
  };
  const ended = read();
  ended.catch(() => undefined);
  return { orders, heartbeats, ended };
}

/** A log that lost whatever came after its listeners, as one does that is cleared in a failover. */
const forgetful: OrderChanges = {
  subscribe: async () => ({
    from: { xid: "0", seq: "0" },
    at: { xid: "0", seq: "0" },
    isLost: true,
    [Symbol.dispose]: () => undefined,
  }),
  wake: () => undefined,
  stopping: new AbortController().signal,
  done: async () => undefined,
};

/** Waits until a watch of all orders has begun to hear: places orders until it tells one. */
async function hearing(world: World, user: OrderClient, orders: Order[]) {
  await eventually("the watch hears", async () => {
    await placed(user, { ...twoMugs(), wait: true });
    return orders.length > 0;
  });
  world.participants.script("reserve");
}

/** A transaction that has written and does not end, until it is told. */
async function openWriter(world: World) {
  const client = new pg.Client({ connectionString: world.database.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("begin");
  await client.query("select pg_current_xact_id()");
  return { commit: () => client.query("commit") };
}

const versionsOf = (orders: readonly Order[], name: string) =>
  orders
    .filter((order) => order.name === name)
    .map(({ etag }) => Number(etag.slice(1, -1)));

const isGrowing = (versions: readonly number[]) =>
  versions.every((version, index) => version > (versions[index - 1] ?? 0));

test("tells how the order stands, then its changes in order, and ends when it is settled", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const held = world.participants.hold("authorize");
  const { name } = await placed(user);
  await held.reached;

  const { orders, ended } = watch(user, name);
  await eventually("the present state", () => orders.length > 0);
  held.open();
  await ended;

  expect(orders[0]?.state).toBe(State.RESERVED);
  expect(orders.at(-1)?.state).toBe(State.COMPLETED);
  expect(isGrowing(versionsOf(orders, name))).toBe(true);
});

test("tells a settled order once and ends", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const { name } = await placed(user, { ...twoMugs(), wait: true });

  const { orders, ended } = watch(user, name);
  await ended;

  expect(orders.map(({ state }) => state)).toEqual([State.COMPLETED]);
});

test("never misses the settlement of an order, at whatever moment the watch begins", async () => {
  const world = await setupWorld();
  const user = world.start().user();

  for (let round = 0; round < 30; round += 1) {
    const { name } = await placed(user);
    const { orders, ended } = watch(user, name);
    await ended;
    expect(orders.at(-1)?.state).toBe(State.COMPLETED);
  }
});

test("tells how an order ended though the log lost its last changes", async () => {
  const world = await setupWorld();
  const process = world.start();
  const user = process.user();
  const held = world.participants.hold("authorize");
  const { name } = await placed(user);
  await held.reached;
  const deps = { ...process.deps, changes: forgetful, heartbeatMs: 20 };
  const signal = AbortSignal.timeout(20_000);

  const told: string[] = [];
  const id = name.slice("orders/".length);
  for await (const event of watchOrder(deps, world.tenant, id, signal)) {
    if (event.kind === "order") told.push(event.order.state);
    held.open();
  }

  expect(told[0]).toBe("reserved");
  expect(told.at(-1)).toBe("completed");
});

test("refuses to watch an order of another tenant, or of nobody", async () => {
  const world = await setupWorld();
  const process = world.start();
  const { name } = await placed(process.user());
  const stranger = process.user("another-tenant");

  for (const unknown of [name, `orders/${newId()}`]) {
    expect(await refusalOf(watch(stranger, unknown).ended)).toMatchObject({
      code: "NotFound",
      reason: "ORDER_NOT_FOUND",
    });
  }
});

test("tells every order of the tenant in its last state, no version twice, and none of other tenants", async () => {
  const world = await setupWorld();
  const process = world.start();
  const user = process.user();
  const { orders } = watch(user);
  await hearing(world, user, orders);

  const placings = Array.from({ length: 60 }, (_, index) =>
    placed(index % 3 === 0 ? process.user("another-tenant") : user),
  );
  const names = (await Promise.all(placings)).map(({ name }) => name);
  const own = names.filter((_, index) => index % 3 !== 0);
  await eventually("all are told completed", () =>
    own.every((name) =>
      orders.some(
        (order) => order.name === name && order.state === State.COMPLETED,
      ),
    ),
  );

  const told = new Set(orders.map(({ name }) => name));
  expect(names.filter((name) => told.has(name)).sort()).toEqual(own.sort());
  for (const name of own) {
    expect(isGrowing(versionsOf(orders, name))).toBe(true);
  }
});

test("sees the changes that another process makes", async () => {
  const world = await setupWorld();
  const [watching, working] = [world.start(), world.start()];
  const { orders } = watch(watching.user());
  await hearing(world, working.user(), orders);

  const { name } = await placed(working.user());

  await eventually("the order is told completed", () =>
    orders.some(
      (order) => order.name === name && order.state === State.COMPLETED,
    ),
  );
});

test("misses nothing of a transaction that commits after later ones", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  const { orders } = watch(user);
  await hearing(world, user, orders);
  const late = await openWriter(world);

  // This one's transaction ids are higher than the open one's: a reader that went by would leave that one behind.
  const { name } = await placed(user, { ...twoMugs(), wait: true });
  const toldMeanwhile = versionsOf(orders, name);
  await late.commit();

  await eventually("the order is told completed", () =>
    versionsOf(orders, name).includes(5),
  );
  expect(toldMeanwhile).toEqual([]);
});

test("answers a waiting call though an open transaction holds back the log of changes", async () => {
  const world = await setupWorld();
  const user = world.start().user();
  await openWriter(world);

  const order = await placed(user, { ...twoMugs(), wait: true });

  expect(order.state).toBe(State.COMPLETED);
});

test("tells a heartbeat while nothing changes", async () => {
  const world = await setupWorld();
  const user = world.start({ heartbeatMs: 50 }).user();

  const { orders, heartbeats } = watch(user);

  await eventually("three heartbeats", () => heartbeats.length >= 3);
  expect(orders).toEqual([]);
});

test("tells a slow watcher the newest state of each order, each once", async () => {
  const world = await setupWorld();
  const process = world.start();
  const signal = AbortSignal.timeout(20_000);
  const slow = watchOrders(process.deps, world.tenant, "", signal);
  const first = slow.next();
  await settleOne(process.user());
  await first;

  const follower = watch(process.user());
  await hearing(world, process.user(), follower.orders);
  const names: string[] = [];
  for (let left = 5; left > 0; left -= 1) {
    const order = await placed(process.user(), { ...twoMugs(), wait: true });
    names.push(order.name.slice("orders/".length));
  }
  // A second watcher that was told of the last one proves that the first has heard, too.
  await eventually("the last is told completed", () =>
    versionsOf(follower.orders, `orders/${names.at(-1)}`).includes(5),
  );
  const told: [string, string][] = [];
  while (told.at(-1)?.[0] !== names.at(-1)) {
    const { value } = await slow.next();
    if (value?.kind === "order") told.push([value.order.id, value.order.state]);
  }
  await slow.return(undefined);

  const ofThese = told.filter(([id]) => names.includes(id));
  expect(ofThese).toEqual(names.map((id) => [id, "completed"]));
});

test("lets a watcher go that falls too far behind", async () => {
  const world = await setupWorld();
  const process = world.start();
  const slow = watchOrders(
    process.deps,
    world.tenant,
    "",
    AbortSignal.timeout(20_000),
  );
  const first = slow.next();
  await settleOne(process.user());
  await first;

  const follower = watch(process.user());
  await hearing(world, process.user(), follower.orders);
  await insertOrders(world, 10_100);
  const { name } = await placed(process.user());
  await eventually("the last of them is read", () =>
    follower.orders.some((order) => order.name === name),
  );

  await expect(drainOf(slow)).rejects.toMatchObject({
    code: "resource_exhausted",
    reason: "OVERLOADED",
  });
});

/** Settles an order, which a watcher that has just subscribed hears of. */
async function settleOne(user: OrderClient): Promise<void> {
  await placed(user, { ...twoMugs(), wait: true });
}

async function drainOf(watcher: AsyncGenerator): Promise<void> {
  for await (const _ of watcher);
}

async function insertOrders(world: World, count: number): Promise<void> {
  await world.db.query(
    `with inserted as (
       insert into orders (
         id, tenant, customer, request_hash, state, lines, version,
         created_at, updated_at, settled_at
       )
       select uuidv7(), $1, 'ada', '', 'completed', '[]', 1, now(), now(), now()
       from generate_series(1, $2::int)
       returning tenant, id, version, created_at
     )
     insert into order_changes (tenant, order_id, version, changed_at)
     select tenant, id, version, created_at
     from inserted`,
    [world.tenant, count],
  );
}
