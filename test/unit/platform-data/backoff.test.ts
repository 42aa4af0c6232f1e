import { describe, expect, it } from "vitest";
import { fullJitter, sleep } from "../../../services/platform/data/backoff.ts";

describe("fullJitter", () => {
  it("doubles its ceiling with each attempt up to the cap", () => {
    const ceilings = [1, 2, 3, 4, 5, 2_000].map((attempt) =>
      fullJitter(attempt, 10, 100, () => 1),
    );

    expect(ceilings).toEqual([10, 20, 40, 80, 100, 100]);
  });

  it("spreads over the whole span", () => {
    expect(fullJitter(3, 10, 100, () => 0)).toBe(0);
    expect(fullJitter(3, 10, 100, () => 0.5)).toBe(20);
  });
});

describe("sleep", () => {
  it("ends at once with the signal's reason", async () => {
    const abort = new AbortController();
    const reason = new Error("stop");
    const sleeping = sleep(60_000, abort.signal);

    abort.abort(reason);

    await expect(sleeping).rejects.toBe(reason);
  });
});
