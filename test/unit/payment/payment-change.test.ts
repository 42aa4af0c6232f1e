import fc from "fast-check";
import { expect, test } from "vitest";
import { postingsOf } from "../../../services/payment/domain/ledger.ts";
import {
  applyChange,
  type PaymentChange,
} from "../../../services/payment/domain/payment-change.ts";
import {
  isUnsettled,
  newPayment,
  type Payment,
  type PaymentState,
} from "../../../services/payment/domain/payment.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";

const AT = new Date("2026-01-01T00:00:00Z");

const HISTORIES: Record<PaymentState, readonly PaymentChange[]> = {
  AUTHORIZING: [],
  UNKNOWN: [{ type: "unanswered" }],
  AUTHORIZED: [{ type: "authorized", reference: "pi_1" }],
  DECLINED: [{ type: "declined", code: "expired_card", reference: "pi_1" }],
  CAPTURED: [
    { type: "authorized", reference: "pi_1" },
    { type: "captured", amount: 600n },
  ],
  VOIDED: [{ type: "authorized", reference: "pi_1" }, { type: "voided" }],
  REFUNDED: [
    { type: "authorized", reference: "pi_1" },
    { type: "captured", amount: 600n },
    { type: "refunded", refundId: "refund", amount: 600n },
  ],
};

const CHANGES: Record<PaymentChange["type"], PaymentChange> = {
  asked: { type: "asked" },
  unanswered: { type: "unanswered" },
  authorized: { type: "authorized", reference: "pi_1" },
  declined: { type: "declined", code: "expired_card", reference: "pi_1" },
  "capture-requested": { type: "capture-requested", amount: 600n },
  captured: { type: "captured", amount: 600n },
  "void-requested": { type: "void-requested" },
  voided: { type: "voided" },
  "refund-requested": {
    type: "refund-requested",
    refundId: "refund",
    amount: 100n,
  },
  refunded: { type: "refunded", refundId: "refund", amount: 100n },
  "late-hold-found": { type: "late-hold-found", reference: "pi_1" },
  "request-closed": { type: "request-closed" },
};

/** Everything that may happen in each state; all else is refused. */
const ALLOWED: Record<PaymentState, readonly PaymentChange["type"][]> = {
  AUTHORIZING: [
    "asked",
    "unanswered",
    "authorized",
    "declined",
    "void-requested",
    "voided",
    "request-closed",
  ],
  UNKNOWN: [
    "asked",
    "unanswered",
    "authorized",
    "declined",
    "void-requested",
    "voided",
    "request-closed",
  ],
  AUTHORIZED: [
    "capture-requested",
    "captured",
    "void-requested",
    "voided",
    "request-closed",
  ],
  DECLINED: ["request-closed"],
  CAPTURED: ["refund-requested", "refunded", "request-closed"],
  VOIDED: ["late-hold-found", "request-closed"],
  REFUNDED: ["request-closed"],
};

function setup(state: PaymentState): Payment {
  const command = {
    tenant: "tenant",
    paymentId: "payment",
    orderId: "order",
    amount: { currency: "EUR", minorUnits: 1000n },
    token: "tok_visa",
  };
  return HISTORIES[state].reduce(
    (payment, change) => applyChange(payment, change, AT),
    newPayment(command, "fingerprint", AT),
  );
}

// The record has a key for each state, so its keys are the states.
const states = Object.keys(HISTORIES) as PaymentState[];

test.each(states)(
  "lets happen to a payment in %s what may, and refuses the rest",
  (state) => {
    const payment = setup(state);

    const allowed = Object.values(CHANGES)
      .filter((change) => isAllowed(payment, change))
      .map((change) => change.type);

    expect(payment.state).toBe(state);
    expect(allowed).toEqual(ALLOWED[state]);
  },
);

test.each(["capture-requested", "void-requested"] as const)(
  "refuses %s while another request is pending",
  (type) => {
    const payment = setup("AUTHORIZED");
    const pending = applyChange(payment, CHANGES["void-requested"], AT);

    expect(isAllowed(pending, CHANGES[type])).toBe(false);
  },
);

test("refuses to give back more than was taken", () => {
  const payment = setup("CAPTURED");
  const change = {
    type: "refunded",
    refundId: "refund",
    amount: 601n,
  } as const;

  expect(() => applyChange(payment, change, AT)).toThrow(DomainError);
});

test("keeps its sums whatever happens in whatever order", () => {
  const amount = fc.bigInt({ min: 1n, max: 1000n });
  const anyChange = fc
    .tuple(fc.constantFrom(...Object.values(CHANGES)), amount)
    .map(([change, minorUnits]) =>
      "amount" in change ? { ...change, amount: minorUnits } : change,
    );

  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), (changes) => {
      const balances = new Map<string, bigint>();
      let payment = setup("AUTHORIZING");
      for (const change of changes) {
        if (!isAllowed(payment, change)) continue;
        const postings = postingsOf(payment, change);
        expect(sum(postings.map((posting) => posting.amount))).toBe(0n);
        for (const posting of postings) {
          const balance = balances.get(posting.account) ?? 0n;
          balances.set(posting.account, balance + posting.amount);
        }
        payment = applyChange(payment, change, AT);
      }

      const { captured, refunded } = payment;
      const held = payment.state === "AUTHORIZED" ? 1000n : 0n;
      expect(captured).toBeLessThanOrEqual(1000n);
      expect(refunded).toBeLessThanOrEqual(captured);
      expect(balances.get("provider_holds") ?? 0n).toBe(held);
      expect(balances.get("provider_cash") ?? 0n).toBe(captured - refunded);
      expect(payment.token !== undefined).toBe(isUnsettled(payment));
    }),
    { numRuns: 500 },
  );
});

function isAllowed(payment: Payment, change: PaymentChange): boolean {
  try {
    applyChange(payment, change, AT);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
    return false;
  }
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
