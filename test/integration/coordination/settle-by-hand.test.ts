import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ForceResolveOrderRequest_Outcome as Outcome } from "../../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import {
  Order_Coordination as Coordination,
  Order_State as State,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startWorld, type World } from "./coordination-world.ts";
import { expectSold } from "./look-behind.ts";
import { addProduct, place, requestsOf, until } from "./place-and-follow.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

/** An order past its point of no return of whose payment nothing has been heard for longer than people may wait. */
const ways = {
  /** Decided, and Payment dies before it is told. */
  async twoPhase(sku: string): Promise<string> {
    const request = requestsOf(Coordination.TWO_PHASE_COMMIT)(sku);
    const lock = await world.lock("orders.transaction_decisions");
    const { name } = await place(world.orders, request);
    await eventually("Payment has voted", async () => {
      const rows = await world.administer(
        "select from pg_prepared_xacts where gid like 'weft:payment:%'",
      );
      return rows.length === 1;
    });
    await world.process("payment").kill();
    await lock.open();
    return name;
  },
  /** Payment has stored the request to capture, and dies while the provider is silent about it. */
  async orchestrated(sku: string): Promise<string> {
    const token = "tok_capture_late_once";
    const request = requestsOf(Coordination.ORCHESTRATED)(sku, { token });
    const { name } = await place(world.orders, request);
    await until(world.orders, name, State.CONFIRMED);
    await eventually("the capture is asked for", async () => {
      const { captures } = await world.moneyOf(name);
      return captures === 1;
    });
    await world.process("payment").kill();
    return name;
  },
};

async function stuck(name: string) {
  await until(world.orders, name, State.CONFIRMED);
  await world.administer(
    "update orders.orders set updated_at = updated_at - interval '1 hour' where id = $1",
    [name.slice("orders/".length)],
  );
  return until(world.orders, name, State.NEEDS_ATTENTION, 60_000);
}

test.each(["twoPhase", "orchestrated"] as const)(
  "an order that is stuck past its point of no return (%s) can't be declared unpaid, for it is paid later",
  async (way) => {
    const sku = await addProduct(world, 10);
    const name = await ways[way](sku);
    const { etag } = await stuck(name);
    const request = {
      name,
      etag,
      reason: "Payment is down",
      settledByHand: "nothing",
    };

    const refusal = await world.operations
      .forceResolveOrder({ ...request, outcome: Outcome.REJECTED })
      .catch((error: unknown) => ConnectError.from(error));
    const { order } = await world.operations.forceResolveOrder({
      ...request,
      outcome: Outcome.COMPLETED,
    });
    await world.start("payment");

    expect(refusal).toMatchObject({ code: Code.FailedPrecondition });
    expect(order?.state).toBe(State.COMPLETED);
    await eventually(
      "the payment is taken",
      async () => (await world.moneyOf(name)).captures === 1,
      60_000,
    );
    await eventually("the books have it", async () => {
      const [payment] = await world.administer<{ state: string }>(
        "select state from payment.payments where id = $1",
        [name.slice("orders/".length)],
      );
      return payment?.state === "CAPTURED";
    });
    await expectSold(world, name, sku);
  },
  120_000,
);
