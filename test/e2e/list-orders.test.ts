import { describe, expect, it } from "vitest";
import {
  Order_State as State,
  type Order,
} from "../../gen/ts/weft/order/v1/order_pb.ts";
import { clientKinds } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { openShop, type Shop } from "../support/mesh-shop.ts";
import { orderState } from "../support/state-names.ts";

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("pages through orders, newest first, each once", async () => {
    using shop = await openShop(kind);
    const placed = await placeThree(shop);

    const listed = await pagesUntil(shop, placed[0]?.name ?? "", {
      pageSize: 2,
    });

    const names = listed.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => placed.some((p) => p.name === name))).toEqual(
      placed.map(({ name }) => name).reverse(),
    );
  });

  it("lists orders of the wanted states only", async () => {
    using shop = await openShop(kind);
    const completed = await shop.settled(shop.order(1));
    const rejected = await shop.settled(shop.order(1, "tok_declined"));

    const listed = await pagesUntil(shop, completed.name, {
      states: [State.COMPLETED],
    });

    expect(new Set(listed.map(({ state }) => orderState(state)))).toEqual(
      new Set(["COMPLETED"]),
    );
    expect(listed.map(({ name }) => name)).not.toContain(rejected.name);
  });

  it("finds no orders of another customer", async () => {
    using shop = await openShop(kind);
    await shop.settled(shop.order(1));

    const page = await shop.client.orders.listOrders({ customer: "böß & co" });

    expect(page).toMatchObject({ orders: [], nextPageToken: "" });
  });

  it.each([
    ["forged", "AAAAAAAAAAAAAAAAAAAAAFsiMjAyNiJd", {}],
    ["of another query", undefined, { states: [State.COMPLETED] }],
  ])("may not use a page token that is %s", async (_, forged, query) => {
    using shop = await openShop(kind);
    await placeThree(shop);
    const { nextPageToken } = await shop.client.orders.listOrders({
      pageSize: 1,
    });

    const refusal = await refusalOf(
      shop.client.orders.listOrders({
        ...query,
        pageSize: 1,
        pageToken: forged ?? nextPageToken,
      }),
    );

    expect(refusal).toEqual({
      code: "InvalidArgument",
      reason: "PAGE_TOKEN_INVALID",
      domain: "weft.dev",
      metadata: {},
      fields: ["page_token"],
    });
  });
});

async function placeThree(shop: Shop): Promise<Order[]> {
  const placed: Order[] = [];
  for (const quantity of [1, 2, 3]) {
    placed.push(await shop.settled(shop.order(quantity)));
  }
  return placed;
}

/** All pages down to the one that holds this order: what other tests place meanwhile comes before it. */
async function pagesUntil(
  shop: Shop,
  last: string,
  query: { readonly pageSize?: number; readonly states?: State[] },
): Promise<Order[]> {
  const listed: Order[] = [];
  let pageToken = "";
  do {
    const page = await shop.client.orders.listOrders({ ...query, pageToken });
    listed.push(...page.orders);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && listed.every(({ name }) => name !== last));
  return listed;
}
