import { expect, test } from "vitest";
import {
  chooseMode,
  chooseSeeds,
  replayOf,
} from "../../faults/choose-seeds.ts";

test.each([
  [{}, [1, 2, 3, 4, 5]],
  [{ points: "all" }, []],
  [{ seeds: "3" }, [1, 2, 3]],
  [{ seed: "17" }, [17]],
  [{ seed: "17,20-22,5" }, [17, 20, 21, 22, 5]],
  [{ seed: "9", points: "short" }, [9]],
])("%o means the seeds %o", (options, seeds) => {
  expect(chooseSeeds(options)).toEqual(seeds);
});

test.each([
  { seed: "" },
  { seed: "lunch" },
  { seed: "4-lunch" },
  { seed: "5-4" },
  { seed: "1.5" },
  { seeds: "0" },
  { seeds: "many" },
])("refuses %o", (options) => {
  expect(() => chooseSeeds(options)).toThrow(/whole numbers/);
});

test("refuses a mode that is none", () => {
  expect(chooseMode({})).toBeUndefined();
  expect(chooseMode({ mode: "two-phase" })).toBe("two-phase");
  expect(() => chooseMode({ mode: "both" })).toThrow(/one of orchestrated/);
});

test("tells how to play seeds again", () => {
  expect(replayOf([7], undefined)).toBe("npm run test:faults -- --seed 7");
  expect(replayOf([7, 9], "two-phase")).toBe(
    "npm run test:faults -- --seed 7,9 --mode two-phase",
  );
});
