import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MoneySchema } from "../../../gen/ts/google/type/money_pb.ts";
import {
  moneyFromProto,
  moneyToProto,
} from "../../../services/platform/rpc/money.ts";

const currencies = fc.constantFrom("JPY", "EUR", "USD", "KWD");

test("any amount of minor units survives the way through the contract", () => {
  fc.assert(
    fc.property(
      currencies,
      fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
      (currency, minorUnits) => {
        const there = moneyToProto({ currency, minorUnits });
        expect(moneyFromProto(there)).toEqual({ currency, minorUnits });
      },
    ),
  );
});

test.each([
  ["JPY", 5n, 0, 5n],
  ["EUR", 12n, 340_000_000, 1234n],
  ["EUR", -1n, -500_000_000, -150n],
  ["KWD", 1n, 5_000_000, 1005n],
])(
  "reads %s %s and %s nanos as %s",
  (currencyCode, units, nanos, minorUnits) => {
    const money = create(MoneySchema, { currencyCode, units, nanos });

    expect(moneyFromProto(money)).toEqual({
      currency: currencyCode,
      minorUnits,
    });
  },
);

test.each([
  ["a fraction of a cent", { currencyCode: "EUR", nanos: 5_000_000 }],
  ["a fraction of a yen", { currencyCode: "JPY", nanos: 10_000_000 }],
  ["two signs", { currencyCode: "EUR", units: 1n, nanos: -10_000_000 }],
  ["nanos of a whole unit", { currencyCode: "EUR", nanos: 1_000_000_000 }],
  ["an unknown currency", { currencyCode: "XYZ", units: 1n }],
  ["no currency", { units: 1n }],
])("refuses %s", (_what, money) => {
  expect(() => moneyFromProto(create(MoneySchema, money))).toThrow(
    expect.objectContaining({ reason: "MONEY_INVALID" }),
  );
});
