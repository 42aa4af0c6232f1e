import { create } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  BatchGetProductsRequestSchema,
  CreateProductRequestSchema,
} from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { CreateOrderRequestSchema } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { ResetRequestSchema } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import { fieldWithNul } from "../../../services/platform/rpc/refuse-nul.ts";

test("finds a U+0000 in a field of the request", () => {
  const request = create(CreateProductRequestSchema, { sku: "a\0" });

  expect(fieldWithNul(CreateProductRequestSchema, request)).toBe("sku");
});

test("finds it in a message within, in the list that holds it", () => {
  const request = create(CreateOrderRequestSchema, {
    order: { lines: [{ sku: "a" }, { sku: "\0" }] },
  });

  expect(fieldWithNul(CreateOrderRequestSchema, request)).toBe(
    "order.lines[1].sku",
  );
});

test("finds it in a list of texts", () => {
  const request = create(BatchGetProductsRequestSchema, {
    names: ["a", "b", "c\0"],
  });

  expect(fieldWithNul(BatchGetProductsRequestSchema, request)).toBe("names[2]");
});

test("finds it in a value of a map, and in a key", () => {
  const value = create(ResetRequestSchema, { entries: { a: "b", c: "\0" } });
  const key = create(ResetRequestSchema, { entries: { a: "b", "c\0": "d" } });

  expect(fieldWithNul(ResetRequestSchema, value)).toBe('entries["c"]');
  expect(fieldWithNul(ResetRequestSchema, key)).toBe('entries["c\\u0000"]');
});

test("finds it in one of several, below a map", () => {
  const request = create(StructSchema, {
    fields: { a: { kind: { case: "stringValue", value: "\0" } } },
  });

  expect(fieldWithNul(StructSchema, request)).toBe('fields["a"].string_value');
});

test("finds the first of two, and none where there is none", () => {
  const two = create(CreateProductRequestSchema, {
    product: { title: "\0" },
    sku: "\0",
  });
  const none = create(CreateProductRequestSchema, {
    sku: "a",
    product: { price: { currencyCode: "EUR", units: 1n } },
  });

  expect(fieldWithNul(CreateProductRequestSchema, two)).toBe("product.title");
  expect(fieldWithNul(CreateProductRequestSchema, none)).toBeUndefined();
});
