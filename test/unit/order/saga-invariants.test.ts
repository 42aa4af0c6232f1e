import fc from "fast-check";
import { expect, test } from "vitest";
import { cancelOnRequest } from "../../../services/order/domain/cancel-order.ts";
import {
  isSettled,
  place,
  type Order,
} from "../../../services/order/domain/order.ts";
import {
  advance,
  confirmWithinMs,
  nextStep,
  type Outcome,
  type Step,
} from "../../../services/order/domain/saga.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { createToyParticipants, type Account } from "./toy-participants.ts";

/** What becomes of one step's call. */
interface Fate {
  readonly call:
    "answered" | "refused" | "answer lost" | "request lost" | "late" | "twice";
  /** Somebody asks for a cancellation while the call is under way. */
  readonly cancel: boolean;
  /** A second driver takes the same step of the same version, and stores it first. */
  readonly rival: boolean;
  readonly passesMs: number;
}

const fate: fc.Arbitrary<Fate> = fc.record({
  call: fc.constantFrom<Fate["call"]>(
    "answered",
    "refused",
    "answer lost",
    "request lost",
    "late",
    "twice",
  ),
  cancel: fc.boolean(),
  rival: fc.boolean(),
  passesMs: fc.constantFrom(0, 10, 5_000, confirmWithinMs),
});
// Most calls are answered: otherwise few orders get far.
const mostlyGood: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 2, arbitrary: fate },
  {
    weight: 3,
    arbitrary: fate.map((each) => ({
      ...each,
      call: "answered" as const,
      cancel: false,
      passesMs: 10,
    })),
  },
);
const fates = fc.array(mostlyGood, { maxLength: 12 });
const good: Fate = {
  call: "answered",
  cancel: false,
  rival: false,
  passesMs: 10,
};

/** One order in a world that loses, repeats and delays calls. */
function createWorld(expected: bigint | undefined) {
  const participants = createToyParticipants();
  const late: Step[] = [];
  let at = new Date("2026-01-01T00:00:00Z").getTime();
  const id = "0199a5a0-0000-7000-8000-000000000001";
  let order = place(
    {
      tenant: "acme",
      customer: "ada",
      lines: [{ sku: "mug", quantity: 1 }],
      expectedTotal:
        expected === undefined
          ? undefined
          : { currency: "EUR", minorUnits: expected },
      paymentToken: "tok_visa",
      coordination: "orchestrated",
    },
    { id, at: new Date(at) },
  );
  const history: Order[] = [order];

  const store = (next: Order, from: Order): void => {
    // As the database does: the version decides who was first.
    if (next !== from && order.version === from.version) {
      order = next;
      history.push(next);
    }
  };
  const call = (step: Step, how: Fate["call"]): Outcome => {
    switch (how) {
      case "answered":
        return participants.take(step, id);
      case "refused":
        return participants.refuse(step, id);
      case "answer lost":
        participants.take(step, id);
        return { kind: "unanswered" };
      case "request lost":
        return { kind: "unanswered" };
      case "late":
        late.push(step);
        return { kind: "unanswered" };
      case "twice":
        participants.take(step, id);
        return participants.take(step, id);
    }
  };
  const requestCancellation = (): void => {
    try {
      store(cancelOnRequest(order, "", new Date(at)), order);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  };
  return {
    history,
    order: () => order,
    account: (): Account => participants.accountOf(id),
    take(each: Fate): void {
      const before = order;
      const step = nextStep(before);
      if (step === undefined) return;
      at += each.passesMs;
      if (each.rival) {
        const outcome = call(step, "answered");
        store(advance(before, outcome, new Date(at)), before);
      }
      const outcome = call(step, each.call);
      if (each.cancel) requestCancellation();
      store(advance(before, outcome, new Date(at)), before);
    },
    deliverLate(): void {
      for (const step of late.splice(0)) participants.take(step, id);
    },
  };
}

const expectedTotals = fc.constantFrom(undefined, 2_500n, 2_499n);

/** Runs a world through its fates and then, in better times, to its end. */
function runToTheEnd(
  given: readonly Fate[],
  expected: bigint | undefined,
  deliverAfter: number,
) {
  const world = createWorld(expected);
  for (const [index, each] of given.entries()) {
    if (index === deliverAfter) world.deliverLate();
    world.take(each);
  }
  for (let left = 10; left > 0; left -= 1) world.take(good);
  world.deliverLate();
  return world;
}

const runs = fc.tuple(fates, expectedTotals, fc.nat(12));

test("an order either is settled or has a next step, whatever happens to it", () => {
  fc.assert(
    fc.property(runs, ([given, expected]) => {
      const world = createWorld(expected);
      for (const each of given) {
        world.take(each);
        const order = world.order();
        expect(nextStep(order) === undefined).toBe(isSettled(order));
      }
    }),
  );
});

test("every order is settled once its calls are answered", () => {
  fc.assert(
    fc.property(runs, ([given, expected, deliverAfter]) => {
      const world = runToTheEnd(given, expected, deliverAfter);
      expect(isSettled(world.order())).toBe(true);
    }),
  );
});

test("a completed order is captured and sold; any other holds nothing, late calls included", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(runs, ([given, expected, deliverAfter]) => {
      const world = runToTheEnd(given, expected, deliverAfter);
      const { state } = world.order();
      seen.add(state);
      const { stock, payment } = world.account();
      if (state === "completed") {
        expect({ stock, payment }).toEqual({
          stock: "sold",
          payment: "captured",
        });
      } else {
        expect(["none", "released"]).toContain(stock);
        expect(["none", "voided", "declined"]).toContain(payment);
      }
    }),
    { numRuns: 2_000 },
  );
  expect([...seen].sort()).toEqual(["cancelled", "completed", "rejected"]);
});

test("a confirmed order never goes back, and a settled one never changes", () => {
  fc.assert(
    fc.property(runs, ([given, expected, deliverAfter]) => {
      const { history } = runToTheEnd(given, expected, deliverAfter);
      const states = history.map(({ state }) => state);
      const fromConfirmed = states.slice(states.indexOf("confirmed"));
      if (states.includes("confirmed")) {
        expect(new Set(fromConfirmed)).toEqual(
          new Set(["confirmed", "completed"]),
        );
      }
      const settledAt = history.findIndex(isSettled);
      expect(settledAt).toBe(history.length - 1);
    }),
  );
});

test("a version grows by one with each change of state, and by none with an attempt", () => {
  fc.assert(
    fc.property(runs, ([given, expected, deliverAfter]) => {
      const { history } = runToTheEnd(given, expected, deliverAfter);
      for (const [index, order] of history.entries()) {
        const before = history[index - 1];
        if (!before) continue;
        const isAttempt = order.attempts === before.attempts + 1;
        expect(order.version - before.version).toBe(isAttempt ? 0n : 1n);
        if (order.state !== before.state) expect(isAttempt).toBe(false);
      }
    }),
  );
});

test("settledAt, the failure and the token tell the same as the state", () => {
  fc.assert(
    fc.property(runs, ([given, expected, deliverAfter]) => {
      const { history } = runToTheEnd(given, expected, deliverAfter);
      for (const order of history) {
        const { state } = order;
        const needsToken = state === "placed" || state === "reserved";
        expect(order.settledAt !== undefined).toBe(isSettled(order));
        expect(order.failure !== undefined).toBe(
          state === "rejecting" || state === "rejected",
        );
        expect(order.paymentToken !== undefined).toBe(needsToken);
      }
    }),
  );
});
