import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  OrderCancelledSchema,
  OrderCompletedSchema,
  OrderConfirmedSchema,
  OrderNeedsAttentionSchema,
  OrderPlacedSchema,
  OrderRejectedSchema,
} from "../../../gen/ts/weft/order/v1/order_events_pb.ts";
import type { OrderSchema } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { newEvent, type NewEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce, AnnounceRow } from "../app/announce.ts";
import type { OrderEvent } from "../domain/order-event.ts";
import type { Order } from "../domain/order.ts";

const schemas = {
  OrderPlaced: OrderPlacedSchema,
  OrderConfirmed: OrderConfirmedSchema,
  OrderCompleted: OrderCompletedSchema,
  OrderRejected: OrderRejectedSchema,
  OrderCancelled: OrderCancelledSchema,
  OrderNeedsAttention: OrderNeedsAttentionSchema,
} as const;

type ToProto = (order: Order) => MessageInitShape<typeof OrderSchema>;

/** Announces changes of orders as the contract's events, through the outbox, keyed by the order's id. */
export function announceThrough(outbox: Outbox, toProto: ToProto): Announce {
  return (tx, event) => outbox.add(tx, toNewEvent(event, toProto));
}

/** As {@link announceThrough}, for batches. */
export function announceRowsThrough(
  outbox: Outbox,
  toProto: ToProto,
): AnnounceRow {
  return (event) => outbox.row(toNewEvent(event, toProto));
}

function toNewEvent({ type, order }: OrderEvent, toProto: ToProto): NewEvent {
  const schema = schemas[type];
  return newEvent(schema, create(schema, { order: toProto(order) }), {
    aggregateId: order.id,
    tenant: order.tenant,
    occurredAt: order.updatedAt,
    sequence: order.version,
  });
}
