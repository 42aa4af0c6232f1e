import type { Database } from "../../platform/data/database.ts";
import {
  createdProduct,
  type NewProduct,
  type Product,
  productExists,
} from "../domain/product.ts";
import { insertProduct } from "../store/products.ts";
import { recordMovement } from "../store/stock-movements.ts";
import type { Announce } from "./announce.ts";
import type { Answered } from "./answered.ts";

export interface CreateProductDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
  readonly newId: () => string;
}

/**
 * Creates a product with its opening stock. `answered` stores the answer to the request in the same transaction.
 *
 * @throws DomainError PRODUCT_EXISTS.
 */
export function createProduct(
  deps: CreateProductDeps,
  draft: NewProduct,
  answered?: Answered,
  signal?: AbortSignal,
): Promise<Product> {
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
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
    await answered?.(tx, product);
    return product;
  }, signal && { signal });
}
