import { create } from "@bufbuild/protobuf";
import {
  MoneySchema,
  type Money,
} from "../../../gen/ts/google/type/money_pb.ts";
import { DomainError } from "../runtime/errors.ts";

/** An amount as services count it: whole minor units (cents, yen) of an ISO 4217 currency. */
export interface Amount {
  readonly currency: string;
  readonly minorUnits: bigint;
}

const nanosPerUnit = 1_000_000_000n;

/**
 * Reads a `google.type.Money` as minor units. An absent message is the zero of no currency, and refused.
 *
 * @throws DomainError MONEY_INVALID for an unknown currency, units and nanos of opposite signs, or a fraction finer than
 * the currency's minor unit: half a cent is nobody's.
 */
export function moneyFromProto(money: Money | undefined): Amount {
  const currency = money?.currencyCode ?? "";
  const nanosPerMinor = nanosPerMinorUnit(currency);
  const { units, nanos } = money ?? { units: 0n, nanos: 0 };
  if (Math.abs(nanos) >= Number(nanosPerUnit)) {
    throw invalid(
      currency,
      "nanos must lie between -999,999,999 and 999,999,999",
    );
  }
  if ((units > 0n && nanos < 0) || (units < 0n && nanos > 0)) {
    throw invalid(currency, "units and nanos must have the same sign");
  }
  if (BigInt(nanos) % nanosPerMinor !== 0n) {
    throw invalid(
      currency,
      `the amount is finer than a minor unit of ${currency}`,
    );
  }
  const perUnit = nanosPerUnit / nanosPerMinor;
  return {
    currency,
    minorUnits: units * perUnit + BigInt(nanos) / nanosPerMinor,
  };
}

/** Writes minor units as `google.type.Money`. */
export function moneyToProto(amount: Amount): Money {
  const nanosPerMinor = nanosPerMinorUnit(amount.currency);
  const perUnit = nanosPerUnit / nanosPerMinor;
  return create(MoneySchema, {
    currencyCode: amount.currency,
    // BigInt division truncates towards zero, so units and nanos keep one sign.
    units: amount.minorUnits / perUnit,
    nanos: Number((amount.minorUnits % perUnit) * nanosPerMinor),
  });
}

const knownCurrencies = new Set(Intl.supportedValuesOf("currency"));
const nanosByCurrency = new Map<string, bigint>();

/** ISO 4217's exponents, from the runtime's own table (CLDR): JPY has none, EUR 2, KWD 3. */
function nanosPerMinorUnit(currency: string): bigint {
  const known = nanosByCurrency.get(currency);
  if (known !== undefined) {
    return known;
  }
  if (!knownCurrencies.has(currency)) {
    throw invalid(currency, `"${currency}" is not an ISO 4217 currency`);
  }
  const digits =
    new Intl.NumberFormat("en", {
      style: "currency",
      currency,
    }).resolvedOptions().maximumFractionDigits ?? 2;
  const nanos = 10n ** BigInt(9 - digits);
  nanosByCurrency.set(currency, nanos);
  return nanos;
}

function invalid(currency: string, message: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason: "MONEY_INVALID",
    message,
    metadata: { currency },
  });
}
