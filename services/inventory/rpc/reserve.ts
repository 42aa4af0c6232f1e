import type { ServiceImpl } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import type { ReservationBatches } from "../app/reservation-batches.ts";
import { reserveInBatch } from "../app/reserve-batch.ts";
import { DEFAULT_TTL_MS } from "../domain/reservation.ts";
import { reservationToProto } from "./reservation-to-proto.ts";

export function reserve(deps: {
  readonly batches: Pick<ReservationBatches, "reserve">;
}): ServiceImpl<typeof InventoryService>["reserve"] {
  return async (request, context) => {
    const reservation = await reserveInBatch(
      deps.batches.reserve,
      {
        tenant: callerOf(context).tenant,
        id: request.reservationId.toLowerCase(),
        order: request.order,
        lines: request.lines,
        ttlMs: request.ttl ? durationMs(request.ttl) : DEFAULT_TTL_MS,
      },
      context.signal,
    );
    return { reservation: reservationToProto(reservation) };
  };
}
