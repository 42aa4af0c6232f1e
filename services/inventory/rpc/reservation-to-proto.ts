import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Reservation_State,
  type ReservationSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import type { Reservation } from "../domain/reservation.ts";

/** A reservation as the contract shows it. */
export function reservationToProto(
  reservation: Reservation,
): MessageInitShape<typeof ReservationSchema> {
  const { total, expiresAt } = reservation;
  return {
    name: `reservations/${reservation.id}`,
    order: reservation.order,
    lines: reservation.lines.map((line) => ({
      sku: line.sku,
      quantity: line.quantity,
      unitPrice: moneyToProto(line.unitPrice),
    })),
    state: states[reservation.state],
    createTime: timestampFromDate(reservation.createdAt),
    updateTime: timestampFromDate(reservation.updatedAt),
    ...(total && { total: moneyToProto(total) }),
    ...(expiresAt && { expireTime: timestampFromDate(expiresAt) }),
  };
}

const states = {
  held: Reservation_State.HELD,
  confirmed: Reservation_State.CONFIRMED,
  released: Reservation_State.RELEASED,
  expired: Reservation_State.EXPIRED,
} as const;
