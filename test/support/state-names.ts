import {
  Order_StateSchema,
  type Order_State,
} from "../../gen/ts/weft/order/v1/order_pb.ts";
import {
  Payment_StateSchema,
  type Payment_State,
} from "../../gen/ts/weft/payment/v1/payment_pb.ts";

/** `COMPLETED` and the like: a failing test that shows 5 helps nobody. */
export function orderState(state: Order_State): string {
  return Order_StateSchema.value[state]?.localName ?? String(state);
}

export function paymentState(state: Payment_State): string {
  return Payment_StateSchema.value[state]?.localName ?? String(state);
}
