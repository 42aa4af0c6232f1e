import fc from "fast-check";
import { expect, test } from "vitest";
import {
  judge,
  type Barrier,
  type BranchRequest,
} from "../../../services/platform/data/branch-barrier.ts";

/** One request and what becomes of it: a prepare that enters may still be rolled back before it commits. */
interface Arrival extends BranchRequest {
  readonly commits: boolean;
}

const arrivals = fc.array(
  fc.record<Arrival>({
    operation: fc.constantFrom("prepare", "rollback"),
    epoch: fc.bigInt({ min: 1n, max: 3n }),
    commits: fc.boolean(),
  }),
  { maxLength: 10 },
);

/** Runs requests through the barrier; answers every barrier and verdict. */
function run(given: readonly Arrival[]) {
  let barrier: Barrier | undefined;
  return given.map((arrival) => {
    const before = barrier;
    const verdict = judge(before, arrival);
    const takesEffect = arrival.operation === "rollback" || arrival.commits;
    if (verdict === "enter" && takesEffect) {
      barrier = { operation: arrival.operation, epoch: arrival.epoch };
    }
    return { arrival, before, after: barrier, verdict };
  });
}

test("a branch's work takes effect once at most, whatever comes how often in which order", () => {
  fc.assert(
    fc.property(arrivals, (given) => {
      const effects = run(given).filter(
        ({ arrival, before, after }) =>
          arrival.operation === "prepare" && before !== after,
      );
      expect(effects.length).toBeLessThanOrEqual(1);
    }),
  );
});

test("what was committed stays committed", () => {
  fc.assert(
    fc.property(arrivals, (given) => {
      for (const { before, after } of run(given)) {
        if (before?.operation === "prepare") expect(after).toBe(before);
      }
    }),
  );
});

test("a prepare of a rolled-back epoch, or of a lower one, never enters", () => {
  fc.assert(
    fc.property(arrivals, (given) => {
      for (const { arrival, before, verdict } of run(given)) {
        if (
          arrival.operation === "prepare" &&
          before?.operation === "rollback" &&
          arrival.epoch <= before.epoch
        ) {
          expect(["rolled back", "stale"]).toContain(verdict);
        }
      }
    }),
  );
});

test("the epoch never falls, and a lower one is told so", () => {
  fc.assert(
    fc.property(arrivals, (given) => {
      for (const { arrival, before, after, verdict } of run(given)) {
        if (before === undefined) continue;
        expect(after?.epoch).toBeGreaterThanOrEqual(Number(before.epoch));
        expect(verdict === "stale").toBe(arrival.epoch < before.epoch);
      }
    }),
  );
});

test.each<[string, Barrier | undefined, BranchRequest, string]>([
  [
    "a first prepare enters",
    undefined,
    { operation: "prepare", epoch: 1n },
    "enter",
  ],
  [
    "a rollback of what never came leaves its mark",
    undefined,
    { operation: "rollback", epoch: 1n },
    "enter",
  ],
  [
    "a prepare after it is refused",
    { operation: "rollback", epoch: 1n },
    { operation: "prepare", epoch: 1n },
    "rolled back",
  ],
  [
    "a coordinator that took over may prepare anew",
    { operation: "rollback", epoch: 1n },
    { operation: "prepare", epoch: 2n },
    "enter",
  ],
  [
    "a repeated prepare of what is committed does nothing",
    { operation: "prepare", epoch: 1n },
    { operation: "prepare", epoch: 1n },
    "repeated",
  ],
  [
    "a rollback of what is committed is refused",
    { operation: "prepare", epoch: 1n },
    { operation: "rollback", epoch: 1n },
    "committed",
  ],
  [
    "a rollback by a coordinator that was replaced is refused",
    { operation: "prepare", epoch: 2n },
    { operation: "rollback", epoch: 1n },
    "stale",
  ],
])("%s", (_, barrier, request, verdict) => {
  expect(judge(barrier, request)).toBe(verdict);
});
