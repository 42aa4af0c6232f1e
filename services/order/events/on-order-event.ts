import type { DescMessage } from "@bufbuild/protobuf";
import {
  ReservationExpiredSchema,
  StockConfirmedSchema,
  StockRefusedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import {
  OrderCancelledSchema,
  OrderCompletedSchema,
  OrderConfirmedSchema,
  OrderNeedsAttentionSchema,
  OrderPlacedSchema,
  OrderRejectedSchema,
} from "../../../gen/ts/weft/order/v1/order_events_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentDeclinedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
} from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import {
  onIdempotentBatch,
  type EventHandler,
} from "../../platform/events/event-handler.ts";
import { recordEvents } from "../app/record-events.ts";

/** Every event that is about one order: all are keyed by its id. */
const schemas = [
  OrderPlacedSchema,
  OrderConfirmedSchema,
  OrderCompletedSchema,
  OrderRejectedSchema,
  OrderCancelledSchema,
  OrderNeedsAttentionSchema,
  StockReservedSchema,
  StockConfirmedSchema,
  StockReleasedSchema,
  StockRefusedSchema,
  ReservationExpiredSchema,
  PaymentAuthorizedSchema,
  PaymentDeclinedSchema,
  PaymentCapturedSchema,
  PaymentVoidedSchema,
  PaymentRefundedSchema,
];

/** Writes each event of an order into its timeline, many at a time. The timeline's key is the event's id. */
export function onOrderEvent(deps: {
  readonly now: () => Date;
}): EventHandler[] {
  return onIdempotentBatch<DescMessage>(schemas, (db, events) =>
    recordEvents(
      deps,
      db,
      events.map((event) => ({
        orderId: event.subject,
        eventId: event.id,
        type: event.type,
        source: event.source,
        eventTime: event.time,
        traceId: event.traceId ?? "",
      })),
    ),
  );
}
