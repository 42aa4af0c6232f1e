import { describe, expect, it } from "vitest";
import { chooseCrashPoints, CRASH_POINTS } from "../../faults/crash-points.ts";
import { MODES } from "../../faults/scenario.ts";

const STEPS = [
  /intent/,
  /reserve|prepare/,
  /authorize/,
  /decision/,
  /commit|capture/,
  /outbox insert/,
  /Kafka ack/,
  /mark/,
  /inbox insert/,
  /offset commit/,
];

describe.each(MODES)("an order of mode %s", (mode) => {
  it.each(STEPS)("can be left alone before and after %s", (step) => {
    const ids = chooseCrashPoints("all", mode)
      .map(({ id }) => id)
      .filter((id) => step.test(id));

    expect(ids.some((id) => id.endsWith("/before"))).toBe(true);
    expect(ids.some((id) => id.endsWith("/after"))).toBe(true);
  });
});

it("names each point once", () => {
  const ids = CRASH_POINTS.map(({ id }) => id);

  expect(new Set(ids).size).toBe(ids.length);
});

it("plays points of every mode in the short set", () => {
  const modes = new Set(chooseCrashPoints("short").map(({ mode }) => mode));

  expect(modes).toEqual(new Set(MODES));
});

it("refuses a name that no point has", () => {
  expect(() => chooseCrashPoints("lunch")).toThrow("no crash point is lunch");
});
