import { expect, test } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import {
  inState,
  placed,
  read,
  refusalOf,
  setupWorld,
  twoMugs,
  type OrderClient,
} from "./order-world.ts";

async function setup() {
  const world = await setupWorld();
  const process = world.start();
  return { world, process, user: process.user() };
}

/** Places orders one after another; their names, newest first. */
async function placeMany(user: OrderClient, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let left = count; left > 0; left -= 1) {
    names.unshift((await placed(user)).name);
  }
  return names;
}

/** Every page of a list, as names. */
async function pagesOf(
  user: OrderClient,
  request: Parameters<OrderClient["listOrders"]>[0],
): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await user.listOrders({ ...request, pageToken });
    pages.push(page.orders.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

test("lists the orders of the tenant, newest first, page by page", async () => {
  const { process, user } = await setup();
  await placed(process.user("another-tenant"));
  const names = await placeMany(user, 5);

  const pages = await pagesOf(user, { pageSize: 2 });

  expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
});

test("gives no token for a page that is full and the last", async () => {
  const { user } = await setup();
  await placeMany(user, 2);

  const page = await user.listOrders({ pageSize: 2 });

  expect(page.orders).toHaveLength(2);
  expect(page.nextPageToken).toBe("");
});

test("neither repeats nor skips orders of the same instant", async () => {
  const { world, user } = await setup();
  const names = await placeMany(user, 5);
  await world.db.query(`update orders set created_at = $1`, [world.now()]);

  const pages = await pagesOf(user, { pageSize: 2 });

  expect(pages.flat()).toHaveLength(5);
  expect(new Set(pages.flat())).toEqual(new Set(names));
});

test("goes on where it was though newer orders came", async () => {
  const { user } = await setup();
  const names = await placeMany(user, 3);

  const first = await user.listOrders({ pageSize: 2 });
  await placeMany(user, 2);
  const second = await user.listOrders({
    pageSize: 2,
    pageToken: first.nextPageToken,
  });

  expect(second.orders.map(({ name }) => name)).toEqual([names[2]]);
});

test("lists only orders in the states asked for, and of the customer", async () => {
  const { world, user } = await setup();
  world.participants.script("reserve", {
    kind: "refuses",
    reason: "OUT_OF_STOCK",
  });
  const refused = await placed(user, { ...twoMugs(), wait: true });
  const [completed = ""] = await placeMany(user, 1);
  await inState(user, completed, State.COMPLETED);

  const settled = await pagesOf(user, {
    states: [State.COMPLETED, State.REJECTED],
    pageSize: 1,
  });
  const rejected = await pagesOf(user, { states: [State.REJECTED] });
  const hers = await pagesOf(user, { customer: "ada" });
  const his = await pagesOf(user, { customer: "bob" });

  expect(settled).toEqual([[completed], [refused.name]]);
  expect(rejected).toEqual([[refused.name]]);
  expect(hers.flat()).toHaveLength(2);
  expect(his).toEqual([[]]);
});

test("lists open and settled orders together, newest first, page by page", async () => {
  const { world, user } = await setup();
  const [old = ""] = await placeMany(user, 1);
  await inState(user, old, State.COMPLETED);
  world.participants.neverAnswers("authorize");
  const [open = ""] = await placeMany(user, 1);
  await inState(user, open, State.RESERVED);
  world.participants.script("reserve", {
    kind: "refuses",
    reason: "OUT_OF_STOCK",
  });
  const refused = await placed(user, { ...twoMugs(), wait: true });

  const all = [State.RESERVED, State.COMPLETED, State.REJECTED];
  const pages = await pagesOf(user, { states: all, pageSize: 1 });
  const some = await pagesOf(user, {
    states: [State.RESERVED, State.REJECTED],
  });
  const twice = await pagesOf(user, {
    states: [State.REJECTED, State.COMPLETED, State.REJECTED],
  });

  expect(twice).toEqual([[refused.name, old]]);
  expect(pages).toEqual([[refused.name], [open], [old]]);
  expect(some).toEqual([[refused.name, open]]);
});

test("refuses a page token that is forged, of another query or of another tenant", async () => {
  const { process, user } = await setup();
  await placeMany(user, 3);
  const { nextPageToken } = await user.listOrders({ pageSize: 1 });
  const stranger = process.user("another-tenant");

  const refusals = await Promise.all(
    [
      user.listOrders({ pageToken: `${nextPageToken.slice(0, -4)}AAAA` }),
      user.listOrders({ pageToken: "nonsense" }),
      user.listOrders({ pageToken: nextPageToken, customer: "ada" }),
      user.listOrders({ pageToken: nextPageToken, states: [State.PLACED] }),
      stranger.listOrders({ pageToken: nextPageToken }),
    ].map(refusalOf),
  );

  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: "InvalidArgument",
      reason: "PAGE_TOKEN_INVALID",
    });
  }
});

test("returns an order of the tenant, and tells nothing of another's", async () => {
  const { process, user } = await setup();
  const order = await placed(user, { ...twoMugs(), wait: true });
  const stranger = process.user("another-tenant");
  const unknown = `orders/${newId()}`;

  const own = await read(user, order.name);
  const refusals = [
    await refusalOf(stranger.getOrder({ name: order.name })),
    await refusalOf(stranger.getOrder({ name: unknown })),
  ];

  expect(own).toEqual(order);
  expect(refusals).toEqual(
    [order.name, unknown].map((name) => ({
      code: "NotFound",
      reason: "ORDER_NOT_FOUND",
      metadata: { order: name },
    })),
  );
});
