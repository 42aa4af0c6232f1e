import { expect, test } from "vitest";
import { createDenyCache } from "../../../services/ratelimit/domain/deny-cache.ts";

const FREE = "g 0 5 1000000 5 20";
const BUSINESS = "g 0 50 1000000 50 20";

test("a refusal is known until its time, and not a moment longer", () => {
  const cache = createDenyCache(10);

  cache.remember("ada", FREE, 1, 1_000);

  expect(cache.retryMs("ada", FREE, 1, 0)).toBe(1_000);
  expect(cache.retryMs("ada", FREE, 1, 999.5)).toBe(0.5);
  expect(cache.retryMs("ada", FREE, 1, 1_000)).toBe(0);
  expect(cache.retryMs("bob", FREE, 1, 0)).toBe(0);
});

test("more hits than were refused are refused too, and fewer are asked about", () => {
  const cache = createDenyCache(10);

  cache.remember("ada", FREE, 3, 1_000);

  expect(cache.retryMs("ada", FREE, 4, 400)).toBe(600);
  expect(cache.retryMs("ada", FREE, 2, 400)).toBe(0);
});

test("who has other numbers for the same count is asked about", () => {
  const cache = createDenyCache(10);

  cache.remember("office", FREE, 1, 1_000);

  expect(cache.retryMs("office", BUSINESS, 1, 0)).toBe(0);
  expect(cache.retryMs("office", FREE, 1, 0)).toBe(1_000);
});

test("it holds the latest refusals, as many as its bound", () => {
  const cache = createDenyCache(2);

  for (const key of ["ada", "bob", "ada", "eve"])
    cache.remember(key, FREE, 1, 1_000);

  expect(
    ["ada", "bob", "eve"].map((key) => cache.retryMs(key, FREE, 1, 0)),
  ).toEqual([1_000, 0, 1_000]);
});

test("a count that was reset is asked about again", () => {
  const cache = createDenyCache(10);
  for (const key of ["ada", "bob", "eve"]) cache.remember(key, FREE, 1, 1_000);

  cache.forget("ada");
  expect(cache.retryMs("ada", FREE, 1, 0)).toBe(0);
  expect(cache.retryMs("bob", FREE, 1, 0)).toBe(1_000);
  cache.clear();

  expect(cache.retryMs("bob", FREE, 1, 0)).toBe(0);
});
