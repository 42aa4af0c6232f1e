import { createContextKey } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { emptyContext } from "../../../services/platform/runtime/linked-context.ts";

const span = createContextKey("span");
const baggage = createContextKey("baggage");

test("a value is found in the context it was set in, and in none before", () => {
  const outer = emptyContext.setValue(span, "outer");
  const both = outer.setValue(baggage, "tenant");

  expect(both.getValue(span)).toBe("outer");
  expect(both.getValue(baggage)).toBe("tenant");
  expect(outer.getValue(baggage)).toBeUndefined();
  expect(emptyContext.getValue(span)).toBeUndefined();
});

test("what is set again or deleted leaves the earlier context as it was", () => {
  const outer = emptyContext.setValue(baggage, "tenant").setValue(span, "a");
  const inner = outer.setValue(span, "b");
  const without = inner.deleteValue(baggage);

  expect(inner.getValue(span)).toBe("b");
  expect(inner.getValue(baggage)).toBe("tenant");
  expect(without.getValue(baggage)).toBeUndefined();
  expect(without.getValue(span)).toBe("b");
  expect(outer.getValue(span)).toBe("a");
});
