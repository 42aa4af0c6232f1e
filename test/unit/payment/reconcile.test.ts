import { expect, test } from "vitest";
import { applyChange } from "../../../services/payment/domain/payment-change.ts";
import {
  newPayment,
  newTombstone,
  type Payment,
} from "../../../services/payment/domain/payment.ts";
import {
  reconcile,
  type ProviderIntent,
} from "../../../services/payment/domain/reconcile.ts";

const AT = new Date("2026-01-01T00:00:00Z");
const HELD: ProviderIntent = { status: "held", reference: "pi_1" };
const TAKEN: ProviderIntent = {
  status: "taken",
  reference: "pi_1",
  amount: 600n,
  refunded: 0n,
};
const takenAndRefunded = (refunded: bigint): ProviderIntent => ({
  ...TAKEN,
  refunded,
});
const RELEASED: ProviderIntent = { status: "released", reference: "pi_1" };
const DECLINED: ProviderIntent = {
  status: "declined",
  reference: "pi_1",
  code: "expired_card",
};

function setup(): Payment {
  const command = {
    tenant: "tenant",
    paymentId: "payment",
    orderId: "order",
    amount: { currency: "EUR", minorUnits: 1000n },
    token: "tok_visa",
  };
  return newPayment(command, "fingerprint", AT);
}

function after(payment: Payment, intent: ProviderIntent): Payment {
  return reconcile(payment, intent).reduce(
    (current, change) => applyChange(current, change, AT),
    payment,
  );
}

test.each([
  [HELD, "AUTHORIZED"],
  [TAKEN, "CAPTURED"],
  [RELEASED, "VOIDED"],
  [DECLINED, "DECLINED"],
])(
  "moves an open payment to where the provider says it is",
  (intent, state) => {
    expect(after(setup(), intent).state).toBe(state);
  },
);

test("changes nothing by an answer that is older than what is known", () => {
  const held = after(setup(), HELD);
  const taken = after(held, TAKEN);
  const released = after(held, RELEASED);

  expect(reconcile(held, HELD)).toEqual([]);
  expect(reconcile(taken, HELD)).toEqual([]);
  expect(reconcile(taken, TAKEN)).toEqual([]);
  expect(reconcile(released, HELD)).toEqual([]);
  expect(reconcile(released, RELEASED)).toEqual([]);
  expect(reconcile(held, DECLINED)).toEqual([]);
});

test("learns what was given back at the provider, each part once", () => {
  const taken = after(setup(), TAKEN);

  const part = after(taken, takenAndRefunded(200n));
  const again = reconcile(part, takenAndRefunded(200n));
  const late = reconcile(part, TAKEN);
  const all = after(part, takenAndRefunded(600n));

  expect(part).toMatchObject({ state: "CAPTURED", refunded: 200n });
  expect([...again, ...late]).toEqual([]);
  expect(all).toMatchObject({ state: "REFUNDED", refunded: 600n });
  expect(after(setup(), takenAndRefunded(200n))).toMatchObject({
    state: "CAPTURED",
    captured: 600n,
    refunded: 200n,
  });
});

test("gives each refund that it finds an id of its own, the same each time", () => {
  const taken = after(setup(), TAKEN);
  const idsOf = (refunded: bigint) =>
    reconcile(taken, takenAndRefunded(refunded)).map((change) =>
      change.type === "refunded" ? change.refundId : change.type,
    );

  expect(idsOf(200n)).toEqual(idsOf(200n));
  expect(idsOf(200n)).not.toEqual(idsOf(300n));
  expect(idsOf(200n)[0]).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("takes nothing for a refund of others that may be the one that is pending", () => {
  const taken = after(setup(), TAKEN);
  const pending = applyChange(
    taken,
    { type: "refund-requested", refundId: "refund", amount: 200n },
    AT,
  );

  expect(reconcile(pending, takenAndRefunded(200n))).toEqual([]);
});

test("finds a hold that came after the payment was voided without it", () => {
  const voided = applyChange(setup(), { type: "voided" }, AT);

  const found = after(voided, HELD);
  const closed = after(found, RELEASED);

  expect(found).toMatchObject({ state: "VOIDED", pending: { kind: "void" } });
  expect(closed.pending).toBeUndefined();
});

test("expects no hold of a payment that was never asked for", () => {
  const mark = newTombstone(
    { tenant: "tenant", paymentId: "payment", orderId: "order" },
    AT,
  );

  expect(reconcile(mark, HELD)).toEqual([]);
});
