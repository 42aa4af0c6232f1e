import { DomainError } from "../../platform/runtime/errors.ts";
import type { Money } from "./money.ts";
import type { StockLevel } from "./stock.ts";

/** Something that can be ordered. Its price does not change once it is created. */
export interface Product {
  readonly tenant: string;
  readonly sku: string;
  readonly title: string;
  readonly description: string;
  readonly price: Money;
  readonly stock: StockLevel;
  /** Grows by one with every change of the product or its stock. */
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What the caller of CreateProduct says. */
export interface NewProduct {
  readonly tenant: string;
  readonly sku: string;
  readonly title: string;
  readonly description: string;
  readonly price: Money;
  readonly openingStock: bigint;
}

/** The first version of a product. */
export function createdProduct(draft: NewProduct, at: Date): Product {
  const { openingStock, ...product } = draft;
  return {
    ...product,
    stock: { available: openingStock, reserved: 0n, sold: 0n },
    version: 1n,
    createdAt: at,
    updatedAt: at,
  };
}

export function productNotFound(sku: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "PRODUCT_NOT_FOUND",
    message: `There is no product ${sku}.`,
    metadata: { sku },
  });
}

export function productExists(sku: string): DomainError {
  return new DomainError({
    code: "already_exists",
    reason: "PRODUCT_EXISTS",
    message: `There is a product ${sku} already.`,
    metadata: { sku },
  });
}
