import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import {
  confirmReservation,
  type ConfirmReservationDeps,
} from "../app/confirm-reservation.ts";
import { reservationToProto } from "./reservation-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function confirm(
  deps: ConfirmReservationDeps,
): ServiceImpl<typeof InventoryService>["confirm"] {
  return async (request, context) => {
    const reservation = await confirmReservation(
      deps,
      callerOf(context).tenant,
      resourceId(request.name),
      context.signal,
    );
    return { reservation: reservationToProto(reservation) };
  };
}
