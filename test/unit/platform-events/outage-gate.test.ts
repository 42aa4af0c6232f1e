import { expect, it } from "vitest";
import { createOutageGate } from "../../../services/platform/events/outage-gate.ts";

it("lets one try at a time while the database is down, and all when one succeeds", () => {
  const clock = { ms: 0 };
  const gate = createOutageGate(() => clock.ms);
  gate.outage();
  expect(gate.waitMs()).toBeGreaterThan(0);

  clock.ms += 1_000;
  expect([gate.waitMs() === 0, gate.waitMs() === 0]).toEqual([true, false]);
  gate.recovered();

  expect([gate.waitMs(), gate.waitMs()]).toEqual([0, 0]);
});

it("waits at most 15 s and a bit, however long the outage lasts", () => {
  const clock = { ms: 0 };
  const gate = createOutageGate(() => clock.ms);

  for (let n = 0; n < 100; n += 1) {
    gate.outage();
    expect(gate.waitMs()).toBeLessThanOrEqual(15_250);
  }
});

it("takes five failures in a row of something else for an outage, fewer for the event's own trouble", () => {
  const gate = createOutageGate(() => 0);
  for (let n = 0; n < 4; n += 1) gate.transient();
  gate.recovered();
  for (let n = 0; n < 4; n += 1) gate.transient();
  expect(gate.closed).toBe(false);

  gate.transient();

  expect(gate.closed).toBe(true);
});
