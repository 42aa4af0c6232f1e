import fc from "fast-check";
import { expect, it } from "vitest";
import {
  oldestFirst,
  type TimelineEntry,
} from "../../../services/order/domain/timeline.ts";

function entry(type: string, at: number, eventId = type): TimelineEntry {
  return {
    eventId,
    type,
    source: "",
    eventTime: new Date(at),
    receiveTime: new Date(at),
    traceId: "",
  };
}

it("tells events of one millisecond in the course of an order, whatever their ids and whatever came first", () => {
  const entries = [
    entry("weft.order.v1.OrderPlaced", 1, "z"),
    entry("weft.inventory.v1.StockReserved", 2, "y"),
    entry("weft.payment.v1.PaymentAuthorized", 2, "x"),
    entry("weft.inventory.v1.StockConfirmed", 3, "w"),
    entry("weft.order.v1.OrderConfirmed", 3, "v"),
    entry("weft.payment.v1.PaymentCaptured", 3, "u"),
    entry("weft.order.v1.OrderCompleted", 3, "t"),
    entry("acme.v1.ParcelSent", 3, "a"),
    entry("acme.v1.ParcelSent", 3, "b"),
  ];

  fc.assert(
    fc.property(
      fc.shuffledSubarray(entries, { minLength: entries.length }),
      (shuffled) => {
        expect(oldestFirst(shuffled)).toEqual(entries);
      },
    ),
  );
});

it("believes times before the course of an order", () => {
  const completed = entry("weft.order.v1.OrderCompleted", 1);
  const placed = entry("weft.order.v1.OrderPlaced", 2);

  expect(oldestFirst([placed, completed])).toEqual([completed, placed]);
});
