import type { Database } from "../../platform/data/database.ts";
import type { Executor } from "../../platform/data/executor.ts";
import { type Product, productNotFound } from "../domain/product.ts";
import { outOfStock } from "../domain/stock.ts";
import { findProduct } from "../store/products.ts";
import { recordMovement } from "../store/stock-movements.ts";
import { adjustAvailable } from "../store/stock.ts";
import type { Announce } from "./announce.ts";
import { requestHash, takesEffect } from "./take-effect-once.ts";

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
  readonly requestId: string;
}

/**
 * Brings stock in or writes it off. The same request id again returns the product as it is by now.
 *
 * @throws DomainError PRODUCT_NOT_FOUND, OUT_OF_STOCK, REQUEST_ID_REUSED.
 */
export function adjustStock(
  deps: AdjustStockDeps,
  command: AdjustStock,
  signal?: AbortSignal,
): Promise<Product> {
  const { tenant, sku, delta, reason } = command;
  return deps.db.transaction(async (tx) => {
    const at = deps.now();
    if (!(await takesEffect(tx, nameRequest(command), at))) {
      return existingProduct(tx, command);
    }
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
    return product;
  }, signal && { signal });
}

function nameRequest(command: AdjustStock) {
  const { tenant, sku, delta, reason, requestId } = command;
  return {
    tenant,
    method: "AdjustStock",
    id: requestId,
    hash: requestHash([sku, delta, reason]),
  };
}

async function existingProduct(
  tx: Executor,
  { tenant, sku }: AdjustStock,
): Promise<Product> {
  const product = await findProduct(tx, tenant, sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}
