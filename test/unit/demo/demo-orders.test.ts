import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  demoOrders,
  faultsOf,
  type ExpectedEnd,
} from "../../../deploy/local/demo/demo-orders.ts";
import {
  Order_State as State,
  OrderSchema,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";

const REJECTED: ExpectedEnd = {
  state: State.REJECTED,
  reason: "OUT_OF_STOCK",
  events: ["weft.order.v1.OrderPlaced", "weft.order.v1.OrderRejected"],
};

test("finds no fault in an order that ended as expected", () => {
  const ended = order(State.REJECTED, "OUT_OF_STOCK", REJECTED.events);

  expect(faultsOf(ended, REJECTED)).toEqual([]);
});

test("names the state, the reason and the events that are not as expected", () => {
  const ended = order(State.COMPLETED, undefined, [
    "weft.order.v1.OrderPlaced",
  ]);

  expect(faultsOf(ended, REJECTED)).toEqual([
    "it is COMPLETED and should be REJECTED",
    "its failure is none and should be OUT_OF_STOCK",
    "these events did not come back: weft.order.v1.OrderRejected",
  ]);
});

test("asks for more of the scarce product than there is, however much that is", () => {
  const demo = demoOrders({ ...STOCK, "lever-machine": 9 });

  const scarce = demo.flatMap(({ lines }) =>
    lines.filter(({ sku }) => sku === "lever-machine"),
  );

  expect(scarce).toEqual([{ sku: "lever-machine", quantity: 10 }]);
});

test("places an order by every protocol, and has one declined and one out of stock", () => {
  const demo = demoOrders(STOCK);

  expect(new Set(demo.map(({ protocol }) => protocol))).toEqual(
    new Set(["REST", "gRPC", "Connect"]),
  );
  expect(demo.flatMap(({ expected }) => expected.reason ?? [])).toEqual([
    "PAYMENT_DECLINED",
    "OUT_OF_STOCK",
  ]);
});

const STOCK = {
  "espresso-beans-1kg": 50,
  "paper-filters-100": 50,
  "moka-pot-6-cups": 50,
  "hand-grinder": 50,
  "gooseneck-kettle": 50,
  "lever-machine": 2,
};

function order(
  state: State,
  reason: string | undefined,
  events: readonly string[],
) {
  return create(OrderSchema, {
    state,
    ...(reason === undefined ? {} : { failure: { reason } }),
    timeline: events.map((type) => ({ type })),
  });
}
