import type { Executor } from "../../platform/data/executor.ts";
import { type Product, productNotFound } from "../domain/product.ts";
import { findProduct } from "../store/products.ts";

export interface GetProductDeps {
  readonly db: Executor;
}

/** @throws DomainError PRODUCT_NOT_FOUND. */
export async function getProduct(
  deps: GetProductDeps,
  tenant: string,
  sku: string,
): Promise<Product> {
  const product = await findProduct(deps.db, tenant, sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}
