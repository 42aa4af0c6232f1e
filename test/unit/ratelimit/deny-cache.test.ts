import { expect, test } from "vitest";
import { createDenyCache } from "../../../services/ratelimit/domain/deny-cache.ts";

test("a refusal is known until its time, and not a moment longer", () => {
  const cache = createDenyCache(10);

  cache.remember("ada", 1, 1_000);

  expect(cache.retryMs("ada", 1, 0)).toBe(1_000);
  expect(cache.retryMs("ada", 1, 999.5)).toBe(0.5);
  expect(cache.retryMs("ada", 1, 1_000)).toBe(0);
  expect(cache.retryMs("bob", 1, 0)).toBe(0);
});

test("more hits than were refused are refused too, and fewer are asked about", () => {
  const cache = createDenyCache(10);

  cache.remember("ada", 3, 1_000);

  expect(cache.retryMs("ada", 4, 400)).toBe(600);
  expect(cache.retryMs("ada", 2, 400)).toBe(0);
});

test("it holds the latest refusals, as many as its bound", () => {
  const cache = createDenyCache(2);

  for (const key of ["ada", "bob", "ada", "eve"]) cache.remember(key, 1, 1_000);

  expect(["ada", "bob", "eve"].map((key) => cache.retryMs(key, 1, 0))).toEqual([
    1_000, 0, 1_000,
  ]);
});

test("a count that was reset is asked about again", () => {
  const cache = createDenyCache(10);
  for (const key of ["ada", "bob", "eve"]) cache.remember(key, 1, 1_000);

  cache.forget("ada");
  expect(cache.retryMs("ada", 1, 0)).toBe(0);
  expect(cache.retryMs("bob", 1, 0)).toBe(1_000);
  cache.clear();

  expect(cache.retryMs("bob", 1, 0)).toBe(0);
});
