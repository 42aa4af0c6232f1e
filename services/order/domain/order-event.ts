import type { Order } from "./order.ts";

/** What the service announces of an order. */
export interface OrderEvent {
  readonly type:
    | "OrderPlaced"
    | "OrderConfirmed"
    | "OrderCompleted"
    | "OrderRejected"
    | "OrderCancelled"
    | "OrderNeedsAttention";
  readonly order: Order;
}

/** What is announced of an order that has just come into its state; most states are nobody else's business. */
export function eventOf(order: Order): OrderEvent | undefined {
  switch (order.state) {
    case "placed":
      return { type: "OrderPlaced", order };
    case "confirmed":
      return { type: "OrderConfirmed", order };
    case "completed":
      return { type: "OrderCompleted", order };
    case "rejected":
      return { type: "OrderRejected", order };
    case "cancelled":
      return { type: "OrderCancelled", order };
    case "needs_attention":
      return { type: "OrderNeedsAttention", order };
    case "reserved":
    case "authorized":
    case "rejecting":
    case "cancelling":
      return undefined;
  }
}
