import { describe, expect, test } from "vitest";
import type {
  Order,
  OrderState,
} from "../../../services/order/domain/order.ts";
import { place } from "../../../services/order/domain/order.ts";
import {
  advance,
  cancel,
  confirmWithinMs,
  nextStep,
  type Outcome,
  type Step,
} from "../../../services/order/domain/saga.ts";
import { declined, done, refused } from "./toy-participants.ts";

const start = new Date("2026-01-01T00:00:00Z");
const later = new Date(start.getTime() + 1_000);
const tooLate = new Date(start.getTime() + confirmWithinMs + 1);
const unanswered: Outcome = { kind: "unanswered" };
const reserved = pricedAt(2_500n);

const placed = place(
  {
    tenant: "acme",
    customer: "ada",
    lines: [{ sku: "mug", quantity: 2 }],
    expectedTotal: undefined,
    paymentToken: "tok_visa",
    coordination: "orchestrated",
  },
  { id: "0199a5a0-0000-7000-8000-000000000001", at: start },
);
const happyPath = [reserved, done, done, done];

function pricedAt(minorUnits: bigint): Outcome {
  return {
    kind: "reserved",
    total: { currency: "EUR", minorUnits },
    unitPrices: new Map([["mug", 1_250n]]),
  };
}

/** The order after these outcomes of its next steps. */
function after(outcomes: readonly Outcome[], from: Order = placed): Order {
  return outcomes.reduce(
    (order, outcome) => advance(order, outcome, later),
    from,
  );
}

/** The steps that an order takes to its end when every call succeeds. */
function stepsToTheEnd(from: Order): Step[] {
  const steps: Step[] = [];
  let order = from;
  for (let step = nextStep(order); step; step = nextStep(order)) {
    steps.push(step);
    order = advance(order, step === "reserve" ? reserved : done, later);
  }
  return steps;
}

describe("an order that nobody refuses", () => {
  test("is reserved, authorized, confirmed, captured, in this order", () => {
    expect(stepsToTheEnd(placed)).toEqual([
      "reserve",
      "authorize",
      "confirm",
      "capture",
    ]);
  });

  test("passes a state for each step and ends completed", () => {
    const states = [0, 1, 2, 3, 4].map(
      (count) => after(happyPath.slice(0, count)).state,
    );

    expect(states).toEqual<OrderState[]>([
      "placed",
      "reserved",
      "authorized",
      "confirmed",
      "completed",
    ]);
  });

  test("takes its price from the reservation", () => {
    const order = after([reserved]);

    expect(order.total).toEqual({ currency: "EUR", minorUnits: 2_500n });
    expect(order.lines).toEqual([
      { sku: "mug", quantity: 2, unitPrice: 1_250n },
    ]);
  });

  test("forgets the payment token as soon as the payment is authorized", () => {
    expect(after([reserved]).paymentToken).toBe("tok_visa");
    expect(after([reserved, done]).paymentToken).toBeUndefined();
  });
});

describe("an order that is refused", () => {
  test("by its stock gives the reservation back, as it may have been made", () => {
    const order = after([refused("OUT_OF_STOCK")]);

    expect(order).toMatchObject({
      state: "rejecting",
      failure: { reason: "OUT_OF_STOCK" },
      undo: ["release"],
      paymentToken: undefined,
    });
  });

  test("by its payment gives the stock back and has no payment to void", () => {
    expect(stepsToTheEnd(after([reserved, declined]))).toEqual(["release"]);
  });

  test("by its confirmation voids the payment and releases the stock", () => {
    const order = after([reserved, done, refused("RESERVATION_EXPIRED")]);

    expect(stepsToTheEnd(order)).toEqual(["void", "release"]);
    expect(after([done, done], order).state).toBe("rejected");
  });

  test("is rejected when it costs something else than expected", () => {
    const expecting = {
      ...placed,
      expectedTotal: { currency: "EUR", minorUnits: 2_499n },
    };

    const order = after([reserved], expecting);

    expect(order).toMatchObject({
      state: "rejecting",
      failure: {
        reason: "PRICE_CHANGED",
        metadata: { expected: "2499 EUR", actual: "2500 EUR" },
      },
      total: { minorUnits: 2_500n },
      undo: ["release"],
    });
  });

  test("is rejected when the same number is asked in another currency", () => {
    const expectedTotal = { currency: "USD", minorUnits: 2_500n };

    const order = after([reserved], { ...placed, expectedTotal });

    expect(order.failure?.reason).toBe("PRICE_CHANGED");
  });

  test("goes on when it costs what was expected", () => {
    const expectedTotal = { currency: "EUR", minorUnits: 2_500n };

    expect(after([reserved], { ...placed, expectedTotal }).state).toBe(
      "reserved",
    );
  });

  test("is rejected when it costs nothing, as nothing can't be paid", () => {
    expect(after([pricedAt(0n)])).toMatchObject({
      state: "rejecting",
      failure: {
        reason: "ORDER_REFUSED",
        metadata: { reason: "TOTAL_IS_ZERO" },
      },
    });
  });
});

describe("a step without an answer", () => {
  test("leaves the order as it is, to be tried again", () => {
    const order = advance(after([reserved]), unanswered, tooEarly());

    expect(order).toEqual({ ...after([reserved]), attempts: 1 });
  });

  test("counts its attempts until one is answered", () => {
    const waiting = after([unanswered, unanswered]);

    expect(waiting.attempts).toBe(2);
    expect(after([reserved], waiting).attempts).toBe(0);
  });

  test.each<[string, Outcome[], Step[]]>([
    ["placed", [], ["release"]],
    ["reserved", [reserved], ["void", "release"]],
  ])(
    "gives a %s order up after two minutes, with all that it may hold",
    (state, outcomes, undo) => {
      const order = advance(after(outcomes), unanswered, tooLate);

      expect(order.failure).toMatchObject({
        reason: "ORDER_TIMED_OUT",
        metadata: { state },
      });
      expect(stepsToTheEnd(order)).toEqual(undo);
    },
  );

  test("never gives up an authorized order, as its stock may be sold", () => {
    const order = advance(after([reserved, done]), unanswered, tooLate);

    expect(order.state).toBe("authorized");
    expect(nextStep(order)).toBe("confirm");
  });

  test("does not keep the other thing from being given back", () => {
    const cancelling = cancel(after([reserved]), later);

    const waiting = after([unanswered], cancelling);

    expect(nextStep(cancelling)).toBe("void");
    expect(nextStep(waiting)).toBe("release");
    expect(after([done], waiting)).toMatchObject({
      state: "cancelling",
      undo: ["void"],
    });
    expect(after([done, done], waiting).state).toBe("cancelled");
  });
});

describe("a refusal where none is allowed", () => {
  test.each<[string, Order]>([
    ["capture", after([reserved, done, done])],
    ["void", cancel(after([reserved]), later)],
    ["release", cancel(placed, later)],
  ])("of %s is tried again, and never turns the order back", (step, order) => {
    const next = advance(order, refused("NO"), tooLate);

    expect(nextStep(order)).toBe(step);
    expect(next).toMatchObject({
      state: order.state,
      version: order.version,
      attempts: 1,
    });
  });
});

describe("versions and times", () => {
  test("grow by one with each change and stamp it", () => {
    const order = after([reserved, done]);

    expect(order.version).toBe(3n);
    expect(order.updatedAt).toEqual(later);
    expect(order.createdAt).toEqual(start);
  });

  test("tell when the order was settled, and not before", () => {
    expect(after([reserved, done, done]).settledAt).toBeUndefined();
    expect(after(happyPath).settledAt).toEqual(later);
  });

  test("end with the settlement: a settled order takes no step", () => {
    const order = after(happyPath);

    expect(nextStep(order)).toBeUndefined();
    expect(() => advance(order, done, later)).toThrow("takes no step");
  });
});

test("a reservation without a price is a fault of ours", () => {
  expect(() => advance(placed, done, later)).toThrow("without a price");
});

function tooEarly(): Date {
  return new Date(start.getTime() + confirmWithinMs);
}
