import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ProductSchema } from "../../../gen/ts/weft/inventory/v1/inventory_pb.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import type { Product } from "../domain/product.ts";

/** A product as the contract shows it. */
export function productToProto(
  product: Product,
): MessageInitShape<typeof ProductSchema> {
  return {
    name: `products/${product.sku}`,
    sku: product.sku,
    title: product.title,
    description: product.description,
    price: moneyToProto(product.price),
    stock: product.stock,
    etag: `"${product.version}"`,
    createTime: timestampFromDate(product.createdAt),
    updateTime: timestampFromDate(product.updatedAt),
  };
}
