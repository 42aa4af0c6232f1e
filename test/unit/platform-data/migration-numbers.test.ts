import { readdirSync } from "node:fs";
import { expect, test } from "vitest";

const folder = new URL(
  "../../../services/platform/events/migrations/",
  import.meta.url,
);

/** These have run in databases under these names, in the order of their names. */
const SHARED_NUMBERS = [3, 4];

test("each of the platform's migrations has a number of its own from now on", () => {
  const numbers = readdirSync(folder).map((file) => Number.parseInt(file, 10));

  const own = numbers.filter((number) => !SHARED_NUMBERS.includes(number));

  expect(own.every(Number.isInteger)).toBe(true);
  expect(new Set(own).size).toBe(own.length);
});
