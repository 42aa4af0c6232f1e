import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/get-product.ts";
import { productToProto } from "./product-to-proto.ts";
import { resourceId } from "./resource-id.ts";

export function getProduct(
  deps: app.GetProductDeps,
): ServiceImpl<typeof InventoryService>["getProduct"] {
  return async (request, context) => {
    const product = await app.getProduct(
      deps,
      callerOf(context).tenant,
      resourceId(request.name),
    );
    return { product: productToProto(product) };
  };
}
