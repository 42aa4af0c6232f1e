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
import { newEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce } from "../app/announce.ts";
import type { Order } from "../domain/order.ts";

const schemas = {
  OrderPlaced: OrderPlacedSchema,
  OrderConfirmed: OrderConfirmedSchema,
  OrderCompleted: OrderCompletedSchema,
  OrderRejected: OrderRejectedSchema,
  OrderCancelled: OrderCancelledSchema,
  OrderNeedsAttention: OrderNeedsAttentionSchema,
} as const;

/** Announces changes of orders as the contract's events, through the outbox, keyed by the order's id. */
export function announceThrough(
  outbox: Outbox,
  toProto: (order: Order) => MessageInitShape<typeof OrderSchema>,
): Announce {
  return (tx, { type, order }) => {
    const schema = schemas[type];
    const event = newEvent(schema, create(schema, { order: toProto(order) }), {
      aggregateId: order.id,
      tenant: order.tenant,
      occurredAt: order.updatedAt,
      sequence: order.version,
    });
    return outbox.add(tx, event);
  };
}
