import fc from "fast-check";
import { expect, test } from "vitest";
import { newId } from "../../../services/platform/runtime/ids.ts";

const layout =
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("has the layout of a UUIDv7, and the time in its first 48 bits", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (at) => {
      const id = newId(at);

      expect(id).toMatch(layout);
      expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(at);
    }),
  );
});

test("sorts by the millisecond in which it was made", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 48 - 1 }), {
        minLength: 2,
      }),
      (times) => {
        const ids = times.toSorted((a, b) => a - b).map((at) => newId(at));

        expect(ids.toSorted()).toEqual(ids);
      },
    ),
  );
});

test("does not come twice, also where the pool of random bytes is filled anew", () => {
  const ids = new Set(Array.from({ length: 10_000 }, () => newId(1)));

  expect(ids.size).toBe(10_000);
});
