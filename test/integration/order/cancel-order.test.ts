import { describe, expect, test } from "vitest";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { Step } from "../../../services/order/domain/saga.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import {
  eventsOf,
  idOf,
  inState,
  placed,
  read,
  refusalOf,
  setupWorld,
  twoMugs,
} from "./order-world.ts";

/** An order whose driver waits for the answer to `step`. */
async function setup(step: Step) {
  const world = await setupWorld();
  const { participants } = world;
  const user = world.start().user();
  const held = participants.hold(step);
  const order = await placed(user);
  await held.reached;
  return { world, user, participants, order, held };
}

test.each<[string, Step, Step[]]>([
  ["placed", "reserve", ["reserve", "release"]],
  ["reserved", "authorize", ["reserve", "authorize", "void", "release"]],
])(
  "cancels an order that is %s though its %s is under way, and gives back what that took",
  async (_, step, steps) => {
    const { world, user, participants, order, held } = await setup(step);

    const answer = await user.cancelOrder({ name: order.name });
    held.open();
    const cancelled = await inState(user, order.name, State.CANCELLED);

    expect(answer.order?.state).toBe(State.CANCELLING);
    expect(participants.stepsOf(idOf(order))).toEqual(steps);
    expect(participants.accountOf(idOf(order)).stock).toBe("released");
    expect(participants.accountOf(idOf(order)).payment).not.toBe("held");
    expect(cancelled.failure).toBeUndefined();
    expect(cancelled.settleTime).toBeDefined();
    const events = await eventsOf(world, idOf(order));
    expect(events.map(({ type }) => type)).toEqual([
      "OrderPlaced",
      "OrderCancelled",
    ]);
  },
);

test("cancels an order whose step gets no answer, without waiting for its lease", async () => {
  const { user, participants, order, held } = await setup("authorize");
  participants.neverAnswers("authorize");

  await user.cancelOrder({ name: order.name });
  held.open();
  await inState(user, order.name, State.CANCELLED);

  expect(participants.accountOf(idOf(order))).toEqual({
    stock: "released",
    payment: "voided",
  });
});

test("returns an order that is being cancelled, or is cancelled, as it is", async () => {
  const { user, order, held } = await setup("reserve");
  const name = order.name;

  const first = await user.cancelOrder({ name, etag: order.etag });
  const again = await user.cancelOrder({ name, etag: order.etag });
  held.open();
  const cancelled = await inState(user, name, State.CANCELLED);
  const after = await user.cancelOrder({ name });

  expect(again).toEqual(first);
  expect(after.order?.etag).toBe(cancelled.etag);
});

test("cancels an order once that ten ask to cancel at once", async () => {
  const { world, user, order, held } = await setup("reserve");

  const answers = await Promise.all(
    Array.from({ length: 10 }, () => user.cancelOrder({ name: order.name })),
  );
  held.open();
  await inState(user, order.name, State.CANCELLED);

  expect(new Set(answers.map((answer) => answer.order?.etag)).size).toBe(1);
  expect(await eventsOf(world, idOf(order))).toHaveLength(2);
});

describe("refuses", () => {
  test.each<[State, string, Step]>([
    [State.AUTHORIZED, "authorized", "confirm"],
    [State.CONFIRMED, "confirmed", "capture"],
  ])("an order in state %i, which is %s", async (state, name, step) => {
    const { user, order, held } = await setup(step);

    const refusal = await refusalOf(user.cancelOrder({ name: order.name }));
    const unchanged = await read(user, order.name);
    held.open();

    expect(refusal).toEqual({
      code: "FailedPrecondition",
      reason: "ORDER_NOT_CANCELLABLE",
      metadata: { order: order.name, state: name },
    });
    expect(unchanged.state).toBe(state);
    await inState(user, order.name, State.COMPLETED);
  });

  test("an order that was rejected", async () => {
    const world = await setupWorld();
    world.participants.script("reserve", {
      kind: "refuses",
      reason: "OUT_OF_STOCK",
    });
    const user = world.start().user();
    const order = await placed(user, { ...twoMugs(), wait: true });

    expect(
      await refusalOf(user.cancelOrder({ name: order.name })),
    ).toMatchObject({ reason: "ORDER_NOT_CANCELLABLE" });
  });

  test("an etag that is not the order's any more", async () => {
    const { user, order } = await setup("authorize");

    const refusal = await refusalOf(
      user.cancelOrder({ name: order.name, etag: order.etag }),
    );

    expect(order.etag).toBe('"1"');
    expect(refusal).toMatchObject({
      code: "Aborted",
      reason: "ETAG_MISMATCH",
    });
  });

  test("an order of another tenant, or of nobody, alike", async () => {
    const { world, order } = await setup("reserve");
    const stranger = world.start().user("another-tenant");
    const unknown = `orders/${newId()}`;

    const refusals = [
      await refusalOf(stranger.cancelOrder({ name: order.name })),
      await refusalOf(stranger.cancelOrder({ name: unknown })),
    ];

    expect(refusals).toEqual(
      [order.name, unknown].map((name) => ({
        code: "NotFound",
        reason: "ORDER_NOT_FOUND",
        metadata: { order: name },
      })),
    );
  });
});
