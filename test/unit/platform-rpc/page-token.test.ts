import { expect, test } from "vitest";
import {
  createPageTokens,
  pageSize,
} from "../../../services/platform/rpc/page-token.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";

const query = ["orders", "acme", ""];
const tokens = createPageTokens(new Secret("a secret of the test"));

test("a token brings its cursor back in the same query", () => {
  const token = tokens.encode(query, ["2026-01-01", "id"]);

  expect(tokens.decode(query, token)).toEqual(["2026-01-01", "id"]);
});

test.each([
  ["another tenant", ["orders", "other", ""], tokens],
  ["another filter", ["orders", "acme", "ada"], tokens],
  ["another secret", query, createPageTokens(new Secret("another secret"))],
])("a token is no good for %s", (_what, elsewhere, reader) => {
  const token = tokens.encode(query, ["id"]);

  expect(() => reader.decode(elsewhere, token)).toThrow(
    expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }),
  );
});

test.each(["", "x", "not base64url!", "AAAAAAAAAAAAAAAAAAAAAFsiaWQiXQ"])(
  "refuses %j as a token",
  (token) => {
    expect(() => tokens.decode(query, token)).toThrow(
      expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }),
    );
  },
);

test("refuses a token with any byte changed", () => {
  const bytes = Buffer.from(tokens.encode(query, ["id"]), "base64url");

  for (const index of bytes.keys()) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
    expect(() => tokens.decode(query, changed.toString("base64url"))).toThrow();
  }
});

test("a page holds 50 if nothing is asked for, and never more than 500", () => {
  expect([0, 1, 500, 10_000].map(pageSize)).toEqual([50, 1, 500, 500]);
});
