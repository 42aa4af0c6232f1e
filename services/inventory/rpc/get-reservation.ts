import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/get-reservation.ts";
import { reservationToProto } from "./reservation-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function getReservation(
  deps: app.GetReservationDeps,
): ServiceImpl<typeof InventoryService>["getReservation"] {
  return async (request, context) => {
    const reservation = await app.getReservation(
      deps,
      callerOf(context).tenant,
      resourceId(request.name),
    );
    return { reservation: reservationToProto(reservation) };
  };
}
