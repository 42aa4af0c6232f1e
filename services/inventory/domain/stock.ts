import { DomainError } from "../../platform/runtime/errors.ts";

/** The units of one product. `available + reserved + sold` is what was brought in less what was written off. */
export interface StockLevel {
  readonly available: bigint;
  readonly reserved: bigint;
  readonly sold: bigint;
}

/** A product of which less is available than was asked for. */
export interface Shortage {
  readonly sku: string;
  readonly requested: bigint;
  readonly available: bigint;
}

export function outOfStock(shortage: Shortage): DomainError {
  const { sku, requested, available } = shortage;
  return new DomainError({
    code: "failed_precondition",
    reason: "OUT_OF_STOCK",
    message: `${requested} of ${sku} are asked for, ${available} are available.`,
    metadata: { sku, requested: `${requested}`, available: `${available}` },
  });
}
