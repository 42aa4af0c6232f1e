import { describe, expect, test } from "vitest";
import {
  refusalsUntilAttention,
  resume,
  settleByHand,
  unansweredUntilAttentionMs,
} from "../../../services/order/domain/attention.ts";
import { place, type Order } from "../../../services/order/domain/order.ts";
import {
  advance,
  nextStep,
  type Outcome,
} from "../../../services/order/domain/saga.ts";
import { done, refused } from "./toy-participants.ts";

const start = new Date("2026-01-01T00:00:00Z");
const unanswered: Outcome = { kind: "unanswered" };
const confirmed: Order = {
  ...place(
    {
      tenant: "acme",
      customer: "ada",
      lines: [{ sku: "mug", quantity: 1 }],
      expectedTotal: undefined,
      paymentToken: "tok_visa",
      coordination: "orchestrated",
    },
    { id: "0199a5a0-0000-7000-8000-000000000001", at: start },
  ),
  state: "confirmed",
  paymentToken: undefined,
};
const rejecting: Order = {
  ...confirmed,
  state: "rejecting",
  undo: ["void", "release"],
};
const seconds = (count: number) => new Date(start.getTime() + count * 1_000);

function refuse(order: Order, times: number): Order {
  let current = order;
  for (let time = 1; time <= times; time += 1) {
    current = advance(current, refused("PAYMENT_NOT_AUTHORIZED"), seconds(1));
  }
  return current;
}

const stuck = refuse(confirmed, refusalsUntilAttention);

describe("an order needs attention", () => {
  test("when a step that may not be refused is refused again and again", () => {
    expect(refuse(confirmed, refusalsUntilAttention - 1).state).toBe(
      "confirmed",
    );
    expect(stuck).toMatchObject({
      state: "needs_attention",
      version: confirmed.version + 1n,
      attention: {
        state: "confirmed",
        step: "capture",
        reason: "STEP_REFUSED",
        metadata: { reason: "PAYMENT_NOT_AUTHORIZED" },
        since: seconds(1),
      },
    });
  });

  test("when a step that must be done gets no answer for too long", () => {
    const soon = advance(confirmed, unanswered, seconds(1));
    const late = new Date(start.getTime() + unansweredUntilAttentionMs + 1);

    expect(soon.state).toBe("confirmed");
    expect(advance(soon, unanswered, late).attention).toMatchObject({
      state: "confirmed",
      reason: "STEP_UNANSWERED",
      since: late,
    });
  });

  test("but not for the first attempt of a process that slept through the time", () => {
    const late = new Date(start.getTime() + unansweredUntilAttentionMs + 1);

    expect(advance(confirmed, unanswered, late).state).toBe("confirmed");
  });

  test("and its other compensations run all the same", () => {
    let order = refuse(rejecting, 1);
    expect(nextStep(order)).toBe("release");
    order = advance(order, done, seconds(2));
    order = refuse(order, refusalsUntilAttention);

    expect(order).toMatchObject({
      state: "needs_attention",
      undo: ["void"],
      attention: { state: "rejecting", step: "void" },
    });
  });
});

describe("an order that needs attention", () => {
  test("is tried on, and told of once", () => {
    const again = refuse(stuck, 3);

    expect(nextStep(stuck)).toBe("capture");
    expect(again).toMatchObject({ state: "needs_attention" });
    expect(again.version).toBe(stuck.version);
    expect(again.attention).toEqual(stuck.attention);
  });

  test("goes on by itself as soon as its step succeeds", () => {
    expect(advance(stuck, done, seconds(3))).toMatchObject({
      state: "completed",
      attention: undefined,
    });
  });

  test("goes on from where it stood when a person says so", () => {
    expect(resume(stuck, seconds(3))).toMatchObject({
      state: "confirmed",
      attention: undefined,
      attempts: 0,
      version: stuck.version + 1n,
    });
  });

  test("ends when a person says so, in an end that nobody contradicts later", () => {
    const stuckBack = refuse(
      { ...rejecting, undo: ["void"] },
      refusalsUntilAttention,
    );

    expect(settleByHand(stuck, "completed", seconds(3))).toMatchObject({
      state: "completed",
      attention: undefined,
      settledAt: seconds(3),
    });
    expect(settleByHand(stuckBack, "rejected", seconds(3)).state).toBe(
      "rejected",
    );
    for (const end of ["rejected", "cancelled"] as const) {
      expect(() => settleByHand(stuck, end, seconds(3))).toThrow(
        expect.objectContaining({
          reason: "OUTCOME_NOT_ALLOWED",
          metadata: {
            order: `orders/${stuck.id}`,
            state: "confirmed",
            field: "outcome",
            allowed: "COMPLETED",
          },
        }),
      );
    }
  });

  test("is not declared rejected by hand while Inventory may sell it by itself", () => {
    const choreographed = { coordination: "choreographed" } as const;
    const waiting: Order = {
      ...confirmed,
      ...choreographed,
      state: "authorized",
    };
    const late = new Date(start.getTime() + unansweredUntilAttentionMs + 1);
    const authorized = advance({ ...waiting, attempts: 1 }, unanswered, late);
    const back = refuse(
      { ...rejecting, ...choreographed, undo: ["release", "void"] },
      refusalsUntilAttention,
    );

    expect(settleByHand(authorized, "completed", late).state).toBe("completed");
    expect(() => settleByHand(authorized, "rejected", late)).toThrow(
      "only completed",
    );
    expect(() => settleByHand(back, "rejected", late)).toThrow(
      "nor anything yet",
    );
  });

  test("is the only one that a person may settle", () => {
    expect(() => settleByHand(confirmed, "completed", seconds(3))).toThrow(
      "is confirmed",
    );
    expect(() => resume(rejecting, seconds(3))).toThrow("is rejecting");
  });
});
