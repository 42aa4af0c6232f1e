import type { Executor } from "../../platform/data/executor.ts";
import type { Money } from "../domain/money.ts";
import { findPricesOf, type ProductKey } from "../store/products.ts";

/** Prices by product. One that is not there is asked for again: it may be created at any time. */
export interface PriceCache {
  /** The prices of those of these products that exist. */
  pricesOf(
    db: Executor,
    products: readonly ProductKey[],
  ): Promise<(product: ProductKey) => Money | undefined>;
}

const MAX_PRICES = 10_000;

/** Keeps prices in memory: a price does not change once its product is created, and products are never deleted. */
export function createPriceCache(): PriceCache {
  const prices = new Map<string, Money>();
  return {
    async pricesOf(db, products) {
      const asked = new Map<string, Money>();
      const missing: ProductKey[] = [];
      for (const product of products) {
        const price = prices.get(keyOf(product));
        if (price === undefined) missing.push(product);
        else asked.set(keyOf(product), price);
      }
      if (missing.length > 0) {
        for (const found of await findPricesOf(db, missing)) {
          asked.set(keyOf(found), found.price);
          keep(prices, keyOf(found), found.price);
        }
      }
      return (product) => asked.get(keyOf(product));
    },
  };
}

/** The oldest goes where there is no room: it comes back with its next order. */
function keep(prices: Map<string, Money>, key: string, price: Money): void {
  const [oldest] = prices.keys();
  if (prices.size >= MAX_PRICES && oldest !== undefined) prices.delete(oldest);
  prices.set(key, price);
}

/** The length tells where the tenant's name, in which any character may stand, ends. */
function keyOf({ tenant, sku }: ProductKey): string {
  return `${tenant.length}/${tenant}/${sku}`;
}
