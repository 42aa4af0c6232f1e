import { Order_Coordination as Coordination } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderPlacedSchema } from "../../../gen/ts/weft/order/v1/order_events_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentDeclinedSchema,
} from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import { on, type EventHandler } from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import {
  confirmForPayment,
  releaseForPayment,
  reserveForOrder,
  type FollowOrderDeps,
} from "../app/follow-order.ts";

/** As long as the contract of Reserve promises. */
const TTL_MS = 15 * 60_000;

/** What Inventory does by itself for choreographed orders, and for no others. */
export function onChoreographedOrder(deps: FollowOrderDeps): EventHandler[] {
  return [
    on(
      OrderPlacedSchema,
      (tx, { tenant, subject, message: { order, sealedPaymentToken } }) =>
        reserveForOrder(deps, tx, {
          tenant,
          id: subject,
          order: `orders/${subject}`,
          lines:
            order?.lines.map(({ sku, quantity }) => ({ sku, quantity })) ?? [],
          ttlMs: TTL_MS,
          expectedTotal:
            order?.expectedTotal && moneyFromProto(order.expectedTotal),
          sealedPaymentToken,
        }),
      ({ order }) => order?.coordination === Coordination.CHOREOGRAPHED,
    ),
    on(
      PaymentAuthorizedSchema,
      (tx, { tenant, subject: orderId }) =>
        confirmForPayment(deps, tx, { tenant, orderId }),
      ({ choreographed }) => choreographed,
    ),
    on(
      PaymentDeclinedSchema,
      (tx, { tenant, subject: orderId }) =>
        releaseForPayment(deps, tx, { tenant, orderId }),
      ({ choreographed }) => choreographed,
    ),
  ];
}
