import { describe, expect, test } from "vitest";
import { cancelOnRequest } from "../../../services/order/domain/cancel-order.ts";
import { etagOf } from "../../../services/order/domain/etag.ts";
import { eventOf } from "../../../services/order/domain/order-event.ts";
import {
  isSettled,
  place,
  type Order,
  type OrderState,
} from "../../../services/order/domain/order.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";

const start = new Date("2026-01-01T00:00:00Z");
const later = new Date(start.getTime() + 1_000);
const id = "0199a5a0-0000-7000-8000-000000000001";

const placed = place(
  {
    tenant: "acme",
    customer: "ada",
    lines: [{ sku: "mug", quantity: 2, unitPrice: 1n }],
    expectedTotal: undefined,
    paymentToken: "tok_visa",
    coordination: "orchestrated",
  },
  { id, at: start },
);

function inState(state: OrderState): Order {
  return { ...placed, state, version: 7n };
}

function refusalOf(act: () => unknown): DomainError {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("not refused");
}

test("a new order holds nothing, and takes no price from its caller", () => {
  expect(placed).toMatchObject({
    id,
    state: "placed",
    version: 1n,
    undo: [],
    total: undefined,
    createdAt: start,
    updatedAt: start,
  });
  expect(placed.lines).toEqual([{ sku: "mug", quantity: 2 }]);
});

describe("cancelOnRequest", () => {
  test.each<[OrderState, string[]]>([
    ["placed", ["release"]],
    ["reserved", ["void", "release"]],
  ])("gives back what a %s order may hold", (state, undo) => {
    const cancelled = cancelOnRequest(inState(state), "", later);

    expect(cancelled).toMatchObject({
      state: "cancelling",
      undo,
      version: 8n,
      paymentToken: undefined,
      failure: undefined,
      updatedAt: later,
    });
  });

  test.each<OrderState>([
    "authorized",
    "confirmed",
    "completed",
    "rejecting",
    "rejected",
  ])("refuses a %s order", (state) => {
    const refusal = refusalOf(() => cancelOnRequest(inState(state), "", later));

    expect(refusal).toMatchObject({
      code: "failed_precondition",
      reason: "ORDER_NOT_CANCELLABLE",
      metadata: { order: `orders/${id}`, state },
    });
  });

  test.each<OrderState>(["cancelling", "cancelled"])(
    "leaves a %s order as it is, whatever the etag",
    (state) => {
      const order = inState(state);

      expect(cancelOnRequest(order, '"1"', later)).toBe(order);
    },
  );

  test("refuses an etag of another version", () => {
    const refusal = refusalOf(() =>
      cancelOnRequest(inState("placed"), '"6"', later),
    );

    expect(refusal).toMatchObject({ code: "aborted", reason: "ETAG_MISMATCH" });
  });

  test("takes the etag of this version", () => {
    const order = inState("placed");

    expect(cancelOnRequest(order, etagOf(order), later).state).toBe(
      "cancelling",
    );
  });
});

test.each<[OrderState, string | undefined]>([
  ["placed", "OrderPlaced"],
  ["reserved", undefined],
  ["authorized", undefined],
  ["confirmed", "OrderConfirmed"],
  ["completed", "OrderCompleted"],
  ["rejecting", undefined],
  ["rejected", "OrderRejected"],
  ["cancelling", undefined],
  ["cancelled", "OrderCancelled"],
  ["needs_attention", "OrderNeedsAttention"],
])("an order that came to be %s is announced as %s", (state, event) => {
  expect(eventOf(inState(state))?.type).toBe(event);
});

test("completed, rejected and cancelled are the states that settle", () => {
  const settled = (
    [
      "placed",
      "reserved",
      "authorized",
      "confirmed",
      "completed",
      "rejecting",
      "rejected",
      "cancelling",
      "cancelled",
      "needs_attention",
    ] as const
  ).filter((state) => isSettled({ state }));

  expect(settled).toEqual(["completed", "rejected", "cancelled"]);
});
