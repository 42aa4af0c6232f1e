import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import {
  releaseReservation,
  type ReleaseReservationDeps,
} from "../app/release-reservation.ts";
import { reservationToProto } from "./reservation-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function release(
  deps: ReleaseReservationDeps,
): ServiceImpl<typeof InventoryService>["release"] {
  return async (request, context) => {
    const reservation = await releaseReservation(
      deps,
      {
        tenant: callerOf(context).tenant,
        id: resourceId(request.name),
        order: request.order,
      },
      context.signal,
    );
    return { reservation: reservationToProto(reservation) };
  };
}
