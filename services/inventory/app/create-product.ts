import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import {
  createdProduct,
  type NewProduct,
  type Product,
  productExists,
  productNotFound,
} from "../domain/product.ts";
import { findProduct, insertProduct } from "../store/products.ts";
import { recordMovement } from "../store/stock-movements.ts";
import type { Announce } from "./announce.ts";
import { requestHash, takesEffect } from "./take-effect-once.ts";

export interface CreateProductDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
  readonly newId: () => string;
}

export interface CreateProduct extends NewProduct {
  readonly requestId?: string;
}

/**
 * Creates a product with its opening stock. The same request id again returns the product as it is by now.
 *
 * @throws DomainError PRODUCT_EXISTS, REQUEST_ID_REUSED.
 */
export function createProduct(
  deps: CreateProductDeps,
  command: CreateProduct,
  signal?: AbortSignal,
): Promise<Product> {
  const { requestId, ...draft } = command;
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
    if (requestId !== undefined) {
      const request = nameRequest(draft, requestId);
      if (!(await takesEffect(tx, request, at))) {
        return existingProduct(tx, draft);
      }
    }
    const product = createdProduct(draft, at);
    if (!(await insertProduct(tx, product))) throw productExists(draft.sku);
    await recordMovement(tx, {
      id: deps.newId(),
      tenant: draft.tenant,
      sku: draft.sku,
      delta: draft.openingStock,
      reason: "opening stock",
      at,
    });
    await deps.announce(tx, { type: "ProductCreated", product });
    return product;
  }, signal && { signal });
}

function nameRequest(draft: NewProduct, id: string) {
  const { tenant, sku, title, description, price, openingStock } = draft;
  return {
    tenant,
    method: "CreateProduct",
    id,
    hash: requestHash([
      sku,
      title,
      description,
      price.currency,
      price.minorUnits,
      openingStock,
    ]),
  };
}

async function existingProduct(
  tx: Executor,
  { tenant, sku }: NewProduct,
): Promise<Product> {
  const product = await findProduct(tx, tenant, sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}
