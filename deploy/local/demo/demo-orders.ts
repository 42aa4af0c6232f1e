import {
  Order_State as State,
  Order_StateSchema as StateSchema,
  type Order,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { Sku } from "./catalogue.ts";

export type Protocol = "REST" | "gRPC" | "Connect";

export interface DemoOrder {
  readonly title: string;
  readonly protocol: Protocol;
  readonly lines: readonly { readonly sku: Sku; readonly quantity: number }[];
  readonly paymentToken: string;
  readonly expected: ExpectedEnd;
}

export interface ExpectedEnd {
  readonly state: State;
  /** Of the failure, where it is refused. */
  readonly reason?: string;
  /** Full names of event types that have to come back from Kafka. */
  readonly events: readonly string[];
}

/** The orders that the demo places, given the available units of each product. */
export function demoOrders(stock: Readonly<Record<Sku, number>>): DemoOrder[] {
  return [
    {
      title: "beans and filters",
      protocol: "REST",
      lines: [
        { sku: "espresso-beans-1kg", quantity: 2 },
        { sku: "paper-filters-100", quantity: 1 },
      ],
      paymentToken: "tok_visa",
      expected: COMPLETED,
    },
    {
      title: "a first set",
      protocol: "gRPC",
      lines: [
        { sku: "moka-pot-6-cups", quantity: 1 },
        { sku: "hand-grinder", quantity: 1 },
      ],
      paymentToken: "tok_visa",
      expected: COMPLETED,
    },
    {
      title: "a kettle, paid at a bank that takes its time",
      protocol: "Connect",
      lines: [{ sku: "gooseneck-kettle", quantity: 1 }],
      paymentToken: "tok_slow",
      expected: COMPLETED,
    },
    {
      title: "a card that is declined: the stock is given back",
      protocol: "gRPC",
      lines: [{ sku: "hand-grinder", quantity: 1 }],
      paymentToken: "tok_declined",
      expected: DECLINED,
    },
    {
      title: "more lever machines than there are: all lines or none",
      protocol: "Connect",
      lines: [
        { sku: "espresso-beans-1kg", quantity: 1 },
        { sku: "lever-machine", quantity: stock["lever-machine"] + 1 },
      ],
      paymentToken: "tok_visa",
      expected: OUT_OF_STOCK,
    },
  ];
}

/** What an order lacks of the expected end, one sentence a fault; empty when it ended as it should. */
export function faultsOf(order: Order, expected: ExpectedEnd): string[] {
  const faults: string[] = [];
  if (order.state !== expected.state) {
    faults.push(
      `it is ${stateName(order.state)} and should be ${stateName(expected.state)}`,
    );
  }
  const reason = order.failure?.reason;
  if (reason !== expected.reason) {
    faults.push(
      `its failure is ${reason ?? "none"} and should be ${expected.reason ?? "none"}`,
    );
  }
  const missing = missingEvents(order, expected);
  if (missing.length > 0) {
    faults.push(`these events did not come back: ${missing.join(", ")}`);
  }
  return faults;
}

/** `COMPLETED`, without the prefix that protobuf asks for. */
export function stateName(state: State): string {
  return StateSchema.value[state]?.localName ?? `state ${state}`;
}

/** The types of events that are still to come back from Kafka. */
export function missingEvents(order: Order, expected: ExpectedEnd): string[] {
  const seen = new Set(order.timeline.map(({ type }) => type));
  return expected.events.filter((type) => !seen.has(type));
}

const COMPLETED: ExpectedEnd = {
  state: State.COMPLETED,
  events: [
    "weft.order.v1.OrderPlaced",
    "weft.inventory.v1.StockReserved",
    "weft.payment.v1.PaymentAuthorized",
    "weft.inventory.v1.StockConfirmed",
    "weft.order.v1.OrderConfirmed",
    "weft.payment.v1.PaymentCaptured",
    "weft.order.v1.OrderCompleted",
  ],
};

const DECLINED: ExpectedEnd = {
  state: State.REJECTED,
  reason: "PAYMENT_DECLINED",
  events: [
    "weft.order.v1.OrderPlaced",
    "weft.inventory.v1.StockReserved",
    "weft.payment.v1.PaymentDeclined",
    "weft.inventory.v1.StockReleased",
    "weft.order.v1.OrderRejected",
  ],
};

const OUT_OF_STOCK: ExpectedEnd = {
  state: State.REJECTED,
  reason: "OUT_OF_STOCK",
  events: ["weft.order.v1.OrderPlaced", "weft.order.v1.OrderRejected"],
};
