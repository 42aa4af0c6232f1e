import { expect, it } from "vitest";
import {
  parsePathTemplate,
  pathRegex,
  pathsOverlap,
} from "../../../deploy/edge/path-template.ts";

it("opens variables up", () => {
  const template = parsePathTemplate(
    "/v1/{parent=shops/*}/orders/{order.id}:cancel",
  );

  expect(template).toEqual({
    segments: ["v1", "shops", "*", "orders", "*"],
    verb: "cancel",
    variables: ["parent", "order.id"],
  });
});

it.each(["v1/orders", "/v1/{orders", "/v1//orders", "/v1/or*"])(
  "refuses %s",
  (pattern) => {
    expect(() => parsePathTemplate(pattern)).toThrow(pattern);
  },
);

it.each([
  ["/v1/{name=orders/*}", "/v1/orders/7", true],
  ["/v1/{name=orders/*}", "/v1/orders/7:cancel", false],
  ["/v1/{name=orders/*}", "/v1/orders/7/lines", false],
  ["/v1/{name=orders/*}:cancel", "/v1/orders/7:cancel", true],
  ["/v1/{name=orders/*}:cancel", "/v1/orders/7", false],
  ["/v1/{name=files/**}", "/v1/files/a/b/c", true],
  ["/v1/orders:watch", "/v1/orders:watch", true],
  ["/v1.2/orders", "/v1x2/orders", false],
])("%s against %s is %s", (pattern, path, matches) => {
  const regex = new RegExp(`^${pathRegex(parsePathTemplate(pattern))}$`);

  expect(regex.test(path)).toBe(matches);
});

it.each([
  ["/v1/a", "/v1/a", true],
  ["/v1/a", "/v1/b", false],
  ["/v1/*", "/v1/b", true],
  ["/v1/**", "/v1/b/c", true],
  ["/v1/**", "/v1", true],
  ["/v1/**/z", "/v1/a/*", true],
  ["/v1/**/z", "/v1/a/y", false],
  ["/v1/*:go", "/v1/a", false],
])("paths of %s and %s overlap: %s", (one, other, overlap) => {
  const [a, b] = [parsePathTemplate(one), parsePathTemplate(other)];

  expect([pathsOverlap(a, b), pathsOverlap(b, a)]).toEqual([overlap, overlap]);
});
