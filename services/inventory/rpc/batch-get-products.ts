import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/batch-get-products.ts";
import { productToProto } from "./product-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function batchGetProducts(
  deps: app.BatchGetProductsDeps,
): ServiceImpl<typeof InventoryService>["batchGetProducts"] {
  return async (request, context) => {
    const products = await app.batchGetProducts(
      deps,
      callerOf(context).tenant,
      request.names.map(resourceId),
    );
    return { products: products.map(productToProto) };
  };
}
