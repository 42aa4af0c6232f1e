import type { Money as ProtoMoney } from "../../../gen/ts/google/type/money_pb.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Money } from "../domain/money.ts";

/** @throws DomainError PRICE_INVALID: the contract's name for an amount that no currency has. */
export function priceFromProto(price: ProtoMoney | undefined): Money {
  try {
    return moneyFromProto(price);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw new DomainError({
      code: error.code,
      reason: "PRICE_INVALID",
      message: error.message,
      metadata: error.metadata,
      field: "product.price",
      cause: error,
    });
  }
}
