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

/** Makes a payment token readable for Payment alone; see OrderPlaced. */
export type SealToken = (orderId: string, token: string) => Uint8Array;

/** Announces changes of orders as the contract's events, through the outbox, keyed by the order's id. */
export function announceThrough(
  outbox: Outbox,
  toProto: ToProto,
  seal?: SealToken,
): Announce {
  return (tx, event) => outbox.add(tx, toNewEvent(event, toProto, seal));
}

/** As {@link announceThrough}, for batches. */
export function announceRowsThrough(
  outbox: Outbox,
  toProto: ToProto,
  seal?: SealToken,
): AnnounceRow {
  return (event, cause) => outbox.row(toNewEvent(event, toProto, seal), cause);
}

function toNewEvent(
  { type, order }: OrderEvent,
  toProto: ToProto,
  seal: SealToken | undefined,
): NewEvent {
  const attributes = {
    aggregateId: order.id,
    tenant: order.tenant,
    occurredAt: order.updatedAt,
    sequence: order.version,
  };
  const { coordination, paymentToken } = order;
  if (type === "OrderPlaced" && coordination === "choreographed") {
    if (!seal || paymentToken === undefined) {
      throw new Error(`order ${order.id} has no token that can be sealed`);
    }
    const placed = create(OrderPlacedSchema, {
      order: toProto(order),
      sealedPaymentToken: seal(order.id, paymentToken),
    });
    return newEvent(OrderPlacedSchema, placed, attributes);
  }
  const schema = schemas[type];
  const event = create(schema, { order: toProto(order) });
  return newEvent(schema, event, attributes);
}
