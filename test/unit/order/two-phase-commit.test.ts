import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  place,
  type Order,
  type OrderState,
} from "../../../services/order/domain/order.ts";
import {
  advance,
  cancel,
  confirmWithinMs,
  nextStep,
  type Outcome,
} from "../../../services/order/domain/saga.ts";
import {
  countAnswers,
  countVotes,
  quote,
  resolutionOf,
  type Vote,
} from "../../../services/order/domain/two-phase-commit.ts";
import { explore, type Bounds } from "./explore-two-phase.ts";
import { refused } from "./toy-participants.ts";
import type { Bugs } from "./two-phase-model.ts";

const start = new Date("2026-01-01T00:00:00Z");
const later = new Date(start.getTime() + 1_000);
const placed = place(
  {
    tenant: "acme",
    customer: "ada",
    lines: [
      { sku: "mug", quantity: 2 },
      { sku: "pot", quantity: 1 },
    ],
    expectedTotal: undefined,
    paymentToken: "tok_visa",
    coordination: "two_phase_commit",
  },
  { id: "0199a5a0-0000-7000-8000-000000000001", at: start },
);
const prices = {
  total: { currency: "EUR", minorUnits: 2_500n },
  unitPrices: new Map([
    ["mug", 1_000n],
    ["pot", 500n],
  ]),
};
const yes: Vote = { kind: "done" };
const no: Vote = refused("OUT_OF_STOCK");
const silence: Vote = { kind: "unanswered" };
const prepared: Outcome = { kind: "prepared", ...prices };

/** The order after these outcomes of its next steps. */
function after(outcomes: readonly Outcome[], from: Order = placed): Order {
  return outcomes.reduce((order, each) => advance(order, each, later), from);
}

describe("an order of two-phase commit", () => {
  test("is prepared and committed, and takes its prices from the quote", () => {
    const confirmed = after([prepared]);

    expect(nextStep(placed)).toBe("prepare");
    expect(confirmed).toMatchObject({
      state: "confirmed",
      total: prices.total,
      lines: [{ unitPrice: 1_000n }, { unitPrice: 500n }],
      paymentToken: undefined,
    });
    expect(nextStep(confirmed)).toBe("commit");
    expect(after([prepared, yes]).state).toBe("completed");
  });

  test("that one participant refuses is rolled back everywhere", () => {
    const rejecting = after([no]);

    expect(rejecting).toMatchObject({ state: "rejecting", undo: ["rollback"] });
    expect(nextStep(rejecting)).toBe("rollback");
    expect(after([no, yes]).state).toBe("rejected");
  });

  test("that is refused after its quote tells what it would have cost", () => {
    const quoted = quote(
      { ...placed, expectedTotal: { currency: "EUR", minorUnits: 1n } },
      new Map([
        ["mug", { currency: "EUR", minorUnits: 1_000n }],
        ["pot", { currency: "EUR", minorUnits: 500n }],
      ]),
    );

    expect(quoted.kind).toBe("refused");
    if (quoted.kind !== "refused") return;
    expect(after([quoted])).toMatchObject({
      state: "rejecting",
      total: prices.total,
      failure: { reason: "PRICE_CHANGED" },
    });
    expect(after([countVotes([yes, no], prices)]).total).toEqual(prices.total);
  });

  test("that is cancelled is rolled back everywhere", () => {
    const cancelling = cancel(placed, later);

    expect(nextStep(cancelling)).toBe("rollback");
    expect(after([yes], cancelling).state).toBe("cancelled");
  });

  test("that gets no votes is tried again, and given up after two minutes", () => {
    const tooLate = new Date(start.getTime() + confirmWithinMs + 1);

    expect(after([silence])).toMatchObject({ state: "placed", attempts: 1 });
    expect(advance(placed, silence, tooLate)).toMatchObject({
      state: "rejecting",
      undo: ["rollback"],
    });
  });

  test("never turns back once it is decided", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<Outcome>(yes, no, silence), { maxLength: 12 }),
        (answers) => {
          const states: OrderState[] = [];
          let order = after([prepared]);
          for (const answer of answers) {
            if (nextStep(order) === undefined) break;
            order = advance(order, answer, later);
            states.push(order.state);
          }
          expect(["confirmed", "completed", "needs_attention"]).toEqual(
            expect.arrayContaining(states),
          );
          expect(order.state === "completed").toBe(answers.includes(yes));
        },
      ),
    );
  });
});

describe("the count of the votes", () => {
  const votes = fc.array(fc.constantFrom(yes, no, silence), {
    minLength: 1,
    maxLength: 4,
  });

  test("is a commit if and only if all are yes, and an abort if one is no", () => {
    fc.assert(
      fc.property(votes, (given) => {
        const { kind } = countVotes(given, prices);
        const allYes = given.every((vote) => vote === yes);
        expect(kind === "prepared").toBe(allYes);
        expect(kind === "refused").toBe(given.includes(no));
      }),
    );
  });

  test("of the second phase is done when all have done it", () => {
    fc.assert(
      fc.property(votes, (given) => {
        const isDone = countAnswers(given).kind === "done";
        expect(isDone).toBe(given.every((answer) => answer === yes));
      }),
    );
  });
});

describe("a quote", () => {
  const eur = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });
  const known = new Map([
    ["mug", eur(1_000n)],
    ["pot", eur(500n)],
  ]);

  test("adds the lines up", () => {
    expect(quote(placed, known)).toEqual({ kind: "quoted", ...prices });
  });

  test.each([
    ["another total than the customer was shown", 1n, known, "PRICE_CHANGED"],
    [
      "nothing to pay",
      undefined,
      new Map([
        ["mug", eur(0n)],
        ["pot", eur(0n)],
      ]),
      "ORDER_REFUSED",
    ],
    [
      "two currencies",
      undefined,
      new Map([...known, ["pot", { currency: "USD", minorUnits: 1n }]]),
      "MIXED_CURRENCIES",
    ],
  ])("of %s is a refusal", (_, expected, by, reason) => {
    const expectedTotal = expected === undefined ? undefined : eur(expected);

    expect(quote({ ...placed, expectedTotal }, by)).toMatchObject({
      kind: "refused",
      failure: { reason },
    });
  });
});

describe("a branch in doubt", () => {
  const rejected: Order = { ...placed, state: "rejected" };

  test.each([
    ["is committed when the log says so", placed, 2n, "commit"],
    [
      "of another epoch than the decided one is left alone",
      placed,
      1n,
      "leave",
    ],
    [
      "of an order under way is left to its coordinator",
      placed,
      undefined,
      "leave",
    ],
    [
      "of an order that is over without a decision is rolled back",
      rejected,
      undefined,
      "rollback",
    ],
    [
      "of an order that nobody knows is rolled back",
      undefined,
      undefined,
      "rollback",
    ],
  ] as const)("%s", (_, order, decided, resolution) => {
    const decision =
      decided === undefined
        ? undefined
        : { orderId: placed.id, epoch: decided };

    expect(resolutionOf({ epoch: 2n }, order, decision)).toBe(resolution);
  });
});

describe("every interleaving of coordinators and participants", () => {
  test.each([
    { participants: 3, takeovers: 2, mishaps: 0, atLeast: 60_000 },
    { participants: 3, takeovers: 1, mishaps: 2, atLeast: 150_000 },
    { participants: 2, takeovers: 2, mishaps: 1, atLeast: 40_000 },
  ])(
    "is atomic and leaves no orphan: $participants participants, $takeovers takeovers, $mishaps mishaps, more than $atLeast states",
    ({ atLeast, ...bounds }) => {
      const { fault, ends, states } = explore(bounds);

      expect(fault).toBeUndefined();
      expect(ends).toEqual(new Set(["completed", "rejected"]));
      // A reduction that leaves out too much would find nothing, either.
      expect(states).toBeGreaterThan(atLeast);
    },
    120_000,
  );

  const three = { participants: 3, takeovers: 2, mishaps: 0 };
  const two = { participants: 2, takeovers: 1, mishaps: 1 };

  test.each<[string, Bugs, Bounds, string]>([
    [
      "a commit before its decision",
      { decidesLate: true },
      three,
      "a branch is committed without a decision",
    ],
    [
      "a rollback without a mark",
      { noTombstone: true },
      three,
      "the order is over and a branch is in doubt",
    ],
    [
      "coordinators that are not told apart",
      { noEpochs: true },
      two,
      "a decided branch is gone",
    ],
  ])(
    "shows what is wrong with %s",
    (_, bugs, bounds, what) => {
      expect(explore(bounds, bugs).fault?.what).toBe(what);
    },
    60_000,
  );

  test("shows that an order whose commit's answer is lost stays open where commits are forgotten", () => {
    const { ends } = explore(two, { forgetsCommits: true });

    expect(ends).toContain("confirmed");
  });
});
