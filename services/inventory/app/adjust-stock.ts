import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { type Product, productNotFound } from "../domain/product.ts";
import { outOfStock } from "../domain/stock.ts";
import { findProduct } from "../store/products.ts";
import { recordMovement } from "../store/stock-movements.ts";
import { adjustAvailable } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import type { Answered } from "./answered.ts";

export interface AdjustStockDeps {
  readonly db: Database;
  readonly announce: Announce;
  readonly now: () => Date;
  readonly newId: () => string;
}

export interface AdjustStock {
  readonly tenant: string;
  readonly sku: string;
  /** Units to add to what is available; negative to take away. */
  readonly delta: bigint;
  readonly reason: string;
}

/**
 * Brings stock in or writes it off. `answered` stores the answer to the request in the same transaction.
 *
 * @throws DomainError PRODUCT_NOT_FOUND, OUT_OF_STOCK.
 */
export function adjustStock(
  deps: AdjustStockDeps,
  command: AdjustStock,
  answered?: Answered,
  signal?: AbortSignal,
): Promise<Product> {
  const { tenant, sku, delta, reason } = command;
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
    const adjusted = await adjustAvailable(tx, { tenant, sku, delta }, at);
    const product = await existingProduct(tx, command);
    if (!adjusted) {
      throw outOfStock({
        sku,
        requested: -delta,
        available: product.stock.available,
      });
    }
    await recordMovement(tx, {
      id: deps.newId(),
      tenant,
      sku,
      delta,
      reason,
      at,
    });
    await deps.announce(tx, { type: "StockAdjusted", product, delta, reason });
    await answered?.(tx, product);
    return product;
  }, signal && { signal });
}

async function existingProduct(
  tx: Executor,
  { tenant, sku }: AdjustStock,
): Promise<Product> {
  const product = await findProduct(tx, tenant, sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}
