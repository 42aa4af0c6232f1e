import { describe, expect, it } from "vitest";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import { clientKinds } from "../support/edge-clients.ts";
import { refusalOf } from "../support/edge-errors.ts";
import { openShop } from "../support/mesh-shop.ts";

describe.each(clientKinds)("a client of %s", { concurrent: true }, (kind) => {
  it("cancels an order that waits for its payment, and all is given back", async () => {
    using shop = await openShop(kind);
    const { name, etag } = await shop.placedUntil(
      State.RESERVED,
      shop.order(3, "tok_late"),
    );
    expect(await shop.stock()).toMatchObject({ available: 7n, reserved: 3n });

    const { order } = await shop.client.orders.cancelOrder({ name, etag });

    expect(order?.state).toBe(State.CANCELLING);
    const cancelled = await shop.until(State.CANCELLED, name);
    expect(cancelled.failure).toBeUndefined();
    expect(await shop.stock()).toEqual({
      available: 10n,
      reserved: 0n,
      sold: 0n,
    });
    expect(await shop.money(name)).toMatchObject({ captures: 0, held: 0 });
    const again = await shop.client.orders.cancelOrder({ name });
    expect(again.order?.etag).toBe(cancelled.etag);
  });

  it("can't cancel an order that is completed", async () => {
    using shop = await openShop(kind);
    const { name } = await shop.settled(shop.order(1));

    const refusal = await refusalOf(shop.client.orders.cancelOrder({ name }));

    expect(refusal).toEqual({
      code: "FailedPrecondition",
      reason: "ORDER_NOT_CANCELLABLE",
      domain: "weft.dev",
      metadata: { order: name, state: "completed" },
      fields: [],
    });
    expect(await shop.stock()).toMatchObject({ sold: 1n });
  });

  it("can't cancel an order by an etag that is not its own", async () => {
    using shop = await openShop(kind);
    const { name } = await shop.settled(shop.order(1));

    const refusal = await refusalOf(
      shop.client.orders.cancelOrder({ name, etag: '"stale"' }),
    );

    expect(refusal).toEqual({
      code: "Aborted",
      reason: "ETAG_MISMATCH",
      domain: "weft.dev",
      metadata: { order: name },
      fields: [],
    });
  });
});
