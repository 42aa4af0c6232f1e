import { RE2JS } from "@bufbuild/re2";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createPatternMatcher } from "../../../services/platform/rpc/match-pattern.ts";

const patterns = [
  "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
  "^orders/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
  "^[A-Za-z0-9_.-]*$",
  "^[A-Z]{3}$",
  "(ab|a)+c",
  "\\d+",
  "(?i)weft",
  "a.c",
];

// Thousands of examples: 0.2 s on a machine that is free, more than the default 5 s on one that is not.
it.each(patterns)("answers %s as RE2 does", { timeout: 60_000 }, (pattern) => {
  const matches = createPatternMatcher();
  const linear = RE2JS.compile(pattern);
  const text = fc.oneof(
    fc.string({
      unit: fc.constantFrom(
        "a",
        "b",
        "c",
        "Z",
        "0",
        "-",
        "_",
        "/",
        "\n",
        "é",
        "😀",
      ),
    }),
    fc.string({ unit: "binary" }),
    fc.constant("orders/01a20dbb-4088-7c27-a1e4-50b1c32c3cda"),
    fc.string({ minLength: 250, maxLength: 300 }),
  );

  fc.assert(
    fc.property(text, (value) => {
      expect(matches(pattern, value)).toBe(linear.test(value));
    }),
  );
});

it("refuses what RE2's syntax does not have", () => {
  const matches = createPatternMatcher();

  expect(() => matches("(?<=a)b", "ab")).toThrow();
});

it("is not held up by a text made to backtrack", () => {
  const matches = createPatternMatcher();
  const text = "a".repeat(1_000_000) + "!";

  expect(matches("^(a+)+$", text)).toBe(false);
  expect(matches("a*a*a*b", text.slice(0, 10_000))).toBe(false);
});
