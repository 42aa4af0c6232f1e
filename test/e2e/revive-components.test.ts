import { expect, it } from "vitest";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openShop } from "../support/mesh-shop.ts";

it.each(["envoy", "redis", "kafka", "postgres"])(
  "an order works again after kill -9 of %s",
  async (component) => {
    using shop = await openShop("gRPC", 100n);
    const { control } = shop.mesh;
    const before = (await control.pids())[component];
    expect(before).toBeDefined();

    await control.kill(component);
    await eventually(
      `${component} runs again`,
      async () => {
        const pid = (await control.pids())[component];
        return pid !== undefined && pid !== before;
      },
      60_000,
    );

    let order = "";
    await eventually(
      "an order is completed",
      async () => {
        const placed = await shop.settled(shop.order(1)).catch(() => undefined);
        order = placed?.name ?? "";
        return placed?.state === State.COMPLETED;
      },
      90_000,
    );
    await eventually(
      "its events come back from Kafka",
      async () => (await shop.get(order)).timeline.length > 0,
      90_000,
    );
  },
  240_000,
);
