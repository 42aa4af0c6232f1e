import type { Executor } from "../../platform/data/executor.ts";
import type { Product } from "../domain/product.ts";
import { listProductsAfter } from "../store/products.ts";

export interface ListProductsDeps {
  readonly db: Executor;
}

export interface ListProducts {
  readonly tenant: string;
  readonly pageSize: number;
  /** The last SKU of the page before. */
  readonly afterSku?: string;
}

export interface ProductPage {
  readonly products: readonly Product[];
  /** Where the next page goes on; none on the last one. */
  readonly nextAfterSku?: string;
}

/** One page of the tenant's products, by SKU. */
export async function listProducts(
  deps: ListProductsDeps,
  query: ListProducts,
): Promise<ProductPage> {
  const { tenant, pageSize, afterSku = "" } = query;
  // One more than asked for tells whether there is a next page.
  const found = await listProductsAfter(
    deps.db,
    tenant,
    afterSku,
    pageSize + 1,
  );
  const products = found.slice(0, pageSize);
  const last = products.at(-1);
  return found.length > pageSize && last !== undefined
    ? { products, nextAfterSku: last.sku }
    : { products };
}
