import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import type { ReservationBatches } from "../app/reservation-batches.ts";
import { settleInBatch } from "../app/settle-batch.ts";
import { reservationToProto } from "./reservation-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function confirm(deps: {
  readonly batches: Pick<ReservationBatches, "confirm">;
}): ServiceImpl<typeof InventoryService>["confirm"] {
  return async (request, context) => {
    const reservation = await settleInBatch(
      deps.batches.confirm,
      { tenant: callerOf(context).tenant, id: resourceId(request.name) },
      context.signal,
    );
    return { reservation: reservationToProto(reservation) };
  };
}
