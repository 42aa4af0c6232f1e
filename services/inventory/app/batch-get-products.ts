import type { Executor } from "../../platform/data/executor.ts";
import { type Product, productNotFound } from "../domain/product.ts";
import { findProducts } from "../store/products.ts";

export interface BatchGetProductsDeps {
  readonly db: Executor;
}

/**
 * The products in the order of these SKUs, as they all were at one moment.
 *
 * @throws DomainError PRODUCT_NOT_FOUND that names the first SKU without one.
 */
export async function batchGetProducts(
  deps: BatchGetProductsDeps,
  tenant: string,
  skus: readonly string[],
): Promise<Product[]> {
  const found = await findProducts(deps.db, tenant, skus);
  const bySku = new Map(found.map((product) => [product.sku, product]));
  return skus.map((sku) => {
    const product = bySku.get(sku);
    if (product === undefined) throw productNotFound(sku);
    return product;
  });
}
