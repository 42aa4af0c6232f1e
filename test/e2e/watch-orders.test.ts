import { describe, expect, it } from "vitest";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import type { WatchOrdersResponse } from "../../gen/ts/weft/order/v1/order_service_pb.ts";
import { clientKinds } from "../support/edge-clients.ts";
import { openShop } from "../support/mesh-shop.ts";
import { orderState } from "../support/state-names.ts";

/** Longer than Envoy's default timeout of a route (15 s), and than the heartbeat, 5 s here. */
const LONG_MS = 21_000;

/** The states of an order that is paid, in order. */
const FORWARD = ["PLACED", "RESERVED", "AUTHORIZED", "CONFIRMED", "COMPLETED"];

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("watches one order, from where it is until it is settled", async () => {
    using shop = await openShop(kind);
    const { order } = await shop.client.orders.createOrder(
      shop.order(1, "tok_slow"),
    );

    const watched = await Array.fromAsync(
      shop.client.orders.watchOrders({ name: order?.name ?? "" }),
    );

    expectForward(watched.flatMap(stateOf));
  });

  it("watches all orders, and sees the changes of each in order", async () => {
    using shop = await openShop(kind);
    const states: string[] = [];
    let name = "";

    for await (const response of shop.client.orders.watchOrders({})) {
      if (name === "") {
        // The first message, of whatever order, says that the stream is open.
        const created = await shop.client.orders.createOrder(shop.order(1));
        name = created.order?.name ?? "";
        continue;
      }
      const { event } = response;
      if (event.case === "order" && event.value.name === name) {
        states.push(...stateOf(response));
        if (event.value.state === State.COMPLETED) break;
      }
    }

    expectForward(states);
  });

  it("lists, watches from there, and goes on where its connection broke", async () => {
    using shop = await openShop(kind);
    const { orders: listed, resumeToken: begin } =
      await shop.client.orders.listOrders({ pageSize: 1 });
    const { order } = await shop.client.orders.createOrder(shop.order(1));
    const name = order?.name ?? "";
    await shop.until(State.COMPLETED, name);

    const states: string[] = [];
    let resumeToken = begin;
    while (states.at(-1) !== "COMPLETED") {
      // One message a connection.
      for await (const response of shop.client.orders.watchOrders({
        resumeToken,
      })) {
        resumeToken = response.resumeToken;
        const { event } = response;
        if (event.case === "order" && event.value.name === name) {
          states.push(...stateOf(response));
        }
        break;
      }
    }

    expect(listed.map((each) => each.name)).not.toContain(name);
    expectForward(states);
  });

  it("stays on the line for longer than a call may take, with heartbeats in the silence", async () => {
    using shop = await openShop(kind);
    const openedAt = performance.now();
    let heartbeats = 0;
    let name: string | undefined;

    for await (const { event } of shop.client.orders.watchOrders({})) {
      heartbeats += Number(event.case === "heartbeat");
      if (name === undefined && performance.now() - openedAt > LONG_MS) {
        const created = await shop.client.orders.createOrder(shop.order(1));
        name = created.order?.name ?? "";
      }
      if (event.case === "order" && event.value.name === name) break;
    }

    expect(heartbeats).toBeGreaterThanOrEqual(3);
  });
});

function stateOf({ event }: WatchOrdersResponse): string[] {
  return event.case === "order" ? [orderState(event.value.state)] : [];
}

/** A watch may skip states; it never goes back or repeats one. */
function expectForward(states: readonly string[]): void {
  expect(FORWARD.filter((state) => states.includes(state))).toEqual(states);
  expect(states.at(-1)).toBe("COMPLETED");
}
