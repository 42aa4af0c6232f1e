import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import * as app from "../app/create-product.ts";
import { priceFromProto } from "./price-from-proto.ts";
import { answeredBy } from "./answered-by.ts";
import { productToProto } from "./product-to-proto.ts";

export function createProduct(
  deps: app.CreateProductDeps,
): ServiceImpl<typeof InventoryService>["createProduct"] {
  return async (request, context) => {
    const product = await app.createProduct(
      deps,
      {
        tenant: callerOf(context).tenant,
        sku: request.sku,
        title: request.product?.title ?? "",
        description: request.product?.description ?? "",
        price: priceFromProto(request.product?.price),
        openingStock: request.openingStock,
      },
      answeredBy(context),
      context.signal,
    );
    return { product: productToProto(product) };
  };
}
