import {
  StockConfirmedSchema,
  StockReservedSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import { on, type EventHandler } from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import type { Secret } from "../../platform/runtime/config.ts";
import {
  authorizeForStock,
  captureForStock,
  type FollowOrderDeps,
} from "../app/follow-order.ts";
import { openToken } from "./open-token.ts";

/** What Payment does by itself for choreographed orders, and for no others. A payment has its order's id. */
export function onChoreographedOrder(
  deps: FollowOrderDeps,
  tokenSecret: Secret,
): EventHandler[] {
  return [
    on(
      StockReservedSchema,
      (tx, { tenant, subject, message: { reservation, sealedPaymentToken } }) =>
        authorizeForStock(deps, tx, {
          tenant,
          paymentId: subject,
          orderId: subject,
          amount: moneyFromProto(reservation?.total),
          token: openToken(tokenSecret, subject, sealedPaymentToken),
        }),
      ({ choreographed }) => choreographed,
    ),
    on(
      StockConfirmedSchema,
      (tx, { tenant, subject }) =>
        captureForStock(deps, tx, { tenant, id: subject }),
      ({ choreographed }) => choreographed,
    ),
  ];
}
