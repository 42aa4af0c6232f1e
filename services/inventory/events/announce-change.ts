import {
  create,
  type DescMessage,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  ProductCreatedSchema,
  ReservationExpiredSchema,
  StockAdjustedSchema,
  StockConfirmedSchema,
  StockRefusedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import type {
  ProductSchema,
  ReservationSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { newEvent, type NewEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce, AnnounceTogether } from "../app/announce.ts";
import type { InventoryEvent } from "../domain/inventory-event.ts";
import type { Product } from "../domain/product.ts";
import type { Reservation } from "../domain/reservation.ts";

/** How the contract shows what an event tells of: the same as in an answer of the service. */
export interface Shapes {
  product(product: Product): MessageInitShape<typeof ProductSchema>;
  reservation(
    reservation: Reservation,
  ): MessageInitShape<typeof ReservationSchema>;
}

/** Announces changes as the contract's events, through the outbox. */
export function announceThrough(outbox: Outbox, shapes: Shapes): Announce {
  return (tx, event) => outbox.add(tx, toNewEvent(event, shapes));
}

/** As {@link announceThrough}, for batches. */
export function announceTogetherThrough(
  outbox: Outbox,
  shapes: Shapes,
): AnnounceTogether {
  return {
    row: (event, cause) => outbox.row(toNewEvent(event, shapes), cause),
    wake: () => outbox.wake(),
  };
}

function toNewEvent(event: InventoryEvent, shapes: Shapes): NewEvent {
  switch (event.type) {
    case "ProductCreated":
      return ofProduct(event.product, ProductCreatedSchema, {
        product: shapes.product(event.product),
      });
    case "StockAdjusted":
      return ofProduct(event.product, StockAdjustedSchema, {
        product: shapes.product(event.product),
        delta: event.delta,
        reason: event.reason,
      });
    case "StockReserved":
      return ofReservation(event.reservation, StockReservedSchema, {
        reservation: shapes.reservation(event.reservation),
        choreographed: event.choreographed ?? false,
        ...(event.sealedPaymentToken && {
          sealedPaymentToken: event.sealedPaymentToken,
        }),
      });
    case "StockConfirmed":
    case "StockReleased":
      return ofReservation(event.reservation, reservationEvents[event.type], {
        reservation: shapes.reservation(event.reservation),
        choreographed: event.choreographed ?? false,
      });
    case "ReservationExpired":
      return ofReservation(event.reservation, ReservationExpiredSchema, {
        reservation: shapes.reservation(event.reservation),
      });
    case "StockRefused": {
      const { order, reason, message, metadata, isAuthorized } = event;
      return newEvent(
        StockRefusedSchema,
        create(StockRefusedSchema, {
          order,
          reason,
          message,
          metadata: { ...metadata },
          isAuthorized,
        }),
        {
          aggregateId: order.slice("orders/".length),
          tenant: event.tenant,
          occurredAt: event.at,
        },
      );
    }
  }
}

const reservationEvents = {
  StockConfirmed: StockConfirmedSchema,
  StockReleased: StockReleasedSchema,
} as const;

function ofProduct<Desc extends DescMessage>(
  product: Product,
  schema: Desc,
  message: MessageInitShape<Desc>,
): NewEvent {
  return newEvent(schema, create(schema, message), {
    aggregateId: product.sku,
    tenant: product.tenant,
    occurredAt: product.updatedAt,
  });
}

/** Keyed by the order and not by the reservation, so that all that happens to one order's stock stays in order. */
function ofReservation<Desc extends DescMessage>(
  reservation: Reservation,
  schema: Desc,
  message: MessageInitShape<Desc>,
): NewEvent {
  return newEvent(schema, create(schema, message), {
    aggregateId: reservation.order.slice("orders/".length),
    tenant: reservation.tenant,
    occurredAt: reservation.updatedAt,
  });
}
