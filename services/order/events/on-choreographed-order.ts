import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  StockConfirmedSchema,
  StockRefusedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import type { Reservation } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentDeclinedSchema,
} from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import {
  onBatch,
  reads,
  type EventHandler,
} from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { followEvents, type FollowEventsDeps } from "../app/follow-events.ts";
import type { Fact } from "../domain/choreography.ts";
import { paymentDeclined, refusedBy } from "../domain/order-failures.ts";

/** Moves choreographed orders, and no others, to where the events of Inventory and Payment put them. */
export function onChoreographedOrder(deps: FollowEventsDeps): EventHandler[] {
  return onBatch(readers, (tx, news) => followEvents(deps, tx, news));
}

function tells<Desc extends DescMessage>(
  schema: Desc,
  factOf: (message: MessageShape<Desc>) => Fact | undefined,
) {
  return reads(schema, ({ subject, message }) => {
    const fact = factOf(message);
    return fact && { orderId: subject, fact };
  });
}

const readers = [
  tells(StockReservedSchema, ({ choreographed, reservation }) =>
    choreographed && reservation
      ? { kind: "reserved", ...pricesOf(reservation) }
      : undefined,
  ),
  tells(StockConfirmedSchema, ({ choreographed, reservation }) =>
    choreographed && reservation
      ? { kind: "confirmed", ...pricesOf(reservation) }
      : undefined,
  ),
  tells(StockReleasedSchema, ({ choreographed }) =>
    choreographed ? { kind: "released" } : undefined,
  ),
  tells(StockRefusedSchema, ({ reason, message, metadata, isAuthorized }) => ({
    kind: "stock refused",
    failure: refusedBy(reason, message, metadata),
    isAuthorized,
  })),
  tells(PaymentAuthorizedSchema, ({ choreographed }) =>
    choreographed ? { kind: "authorized" } : undefined,
  ),
  tells(PaymentCapturedSchema, ({ choreographed }) =>
    choreographed ? { kind: "captured" } : undefined,
  ),
  tells(PaymentDeclinedSchema, ({ choreographed, payment }) =>
    choreographed
      ? {
          kind: "declined",
          failure: paymentDeclined(payment?.declineCode ?? ""),
        }
      : undefined,
  ),
];

function pricesOf(reservation: Reservation) {
  return {
    total: moneyFromProto(reservation.total),
    unitPrices: new Map(
      reservation.lines.map((line) => [
        line.sku,
        moneyFromProto(line.unitPrice).minorUnits,
      ]),
    ),
  };
}
