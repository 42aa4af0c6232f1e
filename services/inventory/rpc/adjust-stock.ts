import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/adjust-stock.ts";
import { answeredBy } from "./answered-by.ts";
import { productToProto } from "./product-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function adjustStock(
  deps: app.AdjustStockDeps,
): ServiceImpl<typeof InventoryService>["adjustStock"] {
  return async (request, context) => {
    const product = await app.adjustStock(
      deps,
      {
        tenant: callerOf(context).tenant,
        sku: resourceId(request.name),
        delta: request.delta,
        reason: request.reason,
      },
      answeredBy(context),
      context.signal,
    );
    return { product: productToProto(product) };
  };
}
