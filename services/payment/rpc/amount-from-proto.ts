import type { Money as MoneyMessage } from "../../../gen/ts/google/type/money_pb.ts";
import { moneyFromProto } from "../../platform/rpc/money.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Money } from "../domain/money.ts";
import { amountInvalid } from "../domain/payment-refusals.ts";

/** @throws DomainError AMOUNT_INVALID, the contract's name for what the platform calls MONEY_INVALID. */
export function amountFromProto(money: MoneyMessage | undefined): Money {
  try {
    return moneyFromProto(money);
  } catch (error) {
    throw error instanceof DomainError ? amountInvalid(error.message) : error;
  }
}
