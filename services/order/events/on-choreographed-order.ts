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
import { on, type EventHandler } from "../../platform/events/event-handler.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { followEvent, type FollowEventDeps } from "../app/follow-event.ts";
import type { Fact } from "../domain/choreography.ts";
import { paymentDeclined, refusedBy } from "../domain/order-failures.ts";

/** Moves choreographed orders, and no others, to where the events of Inventory and Payment put them. */
export function onChoreographedOrder(deps: FollowEventDeps): EventHandler[] {
  const follows = <Desc extends DescMessage>(
    schema: Desc,
    factOf: (message: MessageShape<Desc>) => Fact | undefined,
  ) =>
    on(
      schema,
      async (tx, { subject, message }) => {
        const fact = factOf(message);
        if (fact) await followEvent(deps, tx, subject, fact);
      },
      (message) => factOf(message) !== undefined,
    );
  return [
    follows(StockReservedSchema, ({ choreographed, reservation }) =>
      choreographed && reservation
        ? { kind: "reserved", ...pricesOf(reservation) }
        : undefined,
    ),
    follows(StockConfirmedSchema, ({ choreographed, reservation }) =>
      choreographed && reservation
        ? { kind: "confirmed", ...pricesOf(reservation) }
        : undefined,
    ),
    follows(StockReleasedSchema, ({ choreographed }) =>
      choreographed ? { kind: "released" } : undefined,
    ),
    follows(
      StockRefusedSchema,
      ({ reason, message, metadata, isAuthorized }) => ({
        kind: "stock refused",
        failure: refusedBy(reason, message, metadata),
        isAuthorized,
      }),
    ),
    follows(PaymentAuthorizedSchema, ({ choreographed }) =>
      choreographed ? { kind: "authorized" } : undefined,
    ),
    follows(PaymentCapturedSchema, ({ choreographed }) =>
      choreographed ? { kind: "captured" } : undefined,
    ),
    follows(PaymentDeclinedSchema, ({ choreographed, payment }) =>
      choreographed
        ? {
            kind: "declined",
            failure: paymentDeclined(payment?.declineCode ?? ""),
          }
        : undefined,
    ),
  ];
}

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
