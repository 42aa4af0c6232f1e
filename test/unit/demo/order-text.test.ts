import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { formatMoney } from "../../../deploy/local/demo/order-text.ts";
import {
  MoneySchema,
  type Money,
} from "../../../gen/ts/google/type/money_pb.ts";

test.each([
  ["€54.75", money("EUR", 54n, 750_000_000)],
  ["€1,190.00", money("EUR", 1_190n, 0)],
  ["€0.05", money("EUR", 0n, 50_000_000)],
  ["-€0.50", money("EUR", 0n, -500_000_000)],
  ["-€3.25", money("EUR", -3n, -250_000_000)],
  ["¥1,200", money("JPY", 1_200n, 0)],
  ["€9,007,199,254,740,993.01", money("EUR", 2n ** 53n + 1n, 10_000_000)],
])("writes %s to the last digit", (text, amount) => {
  expect(formatMoney(amount)).toBe(text);
});

function money(currencyCode: string, units: bigint, nanos: number): Money {
  return create(MoneySchema, { currencyCode, units, nanos });
}
