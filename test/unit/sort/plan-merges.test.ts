import { describe, expect, test } from "vitest";
import { shareMemory } from "../../../services/sort/engine/job/memory-budget.ts";
import {
  indexBytes,
  planMerges,
  type RunSize,
} from "../../../services/sort/engine/job/plan-merges.ts";
import { mostSources } from "../../../services/sort/engine/worker/merge-part.ts";

/** With what a process has resident before it sorts. */
const means = {
  ...shareMemory({ bytes: 512 << 20, counts: "process" }, 3, 100 << 20, 0),
  openFiles: 20_000,
};

describe("the plan of 1 TB in 512 MB", () => {
  const { left, rounds } = mergeAll(runsOf(1e12));

  test("holds all indexes of the last merge in the memory for them", () => {
    expect(sumOf(left, indexBytes)).toBeLessThanOrEqual(means.indexBytes);
  });

  test("leaves no more runs than an arena has buffers for", () => {
    const block = Math.max(...left.map(({ blockBytes = 0 }) => blockBytes));

    expect(left.length).toBeLessThanOrEqual(
      mostSources(means.arenaBytes, 100, block),
    );
  });

  test("holds the indexes of what all workers merge at once", () => {
    const groups = rounds.flat();

    for (const group of groups) {
      const indexed = sumOf(group, indexBytes);
      expect(means.workers * indexed).toBeLessThanOrEqual(means.indexBytes);
    }
  });

  test("makes no run of more than 65,536 blocks", () => {
    expect(Math.max(...left.map(blocksOf))).toBeLessThanOrEqual(65_536);
  });

  test("writes nothing more than once", () => {
    const written = sumOf(rounds.flat(2), ({ bytes }) => bytes);

    expect(written).toBeLessThanOrEqual(1e12);
  });
});

test.each([1e9, 16e9, 40e9])("merges %d bytes at once", (bytes) => {
  expect(planMerges(runsOf(bytes), means).groups).toHaveLength(0);
});

test("merges of runs that are too many as few as are needed, into blocks as they are", () => {
  const { left, rounds } = mergeAll(runsOf(60e9));

  expect(rounds).toHaveLength(1);
  expect(left).toHaveLength(512);
  expect(Math.max(...left.map(blocksOf))).toBeLessThanOrEqual(65_536);
  expect(left.every(({ blockBytes = 65_536 }) => blockBytes === 65_536)).toBe(
    true,
  );
});

test("opens no more files than the process may", () => {
  const { left, rounds } = mergeAll(runsOf(40e9), { ...means, openFiles: 72 });

  const most = Math.max(left.length, ...rounds.flat().map((all) => all.length));

  expect(most).toBe(22);
});

/** Runs as workers make them, of what their arenas hold. */
function runsOf(bytes: number): RunSize[] {
  const each = Math.floor(0.75 * means.arenaBytes);
  return Array.from({ length: Math.ceil(bytes / each) }, (_, i) => ({
    bytes: Math.min(each, bytes - i * each),
    longest: 100,
  }));
}

function mergeAll(runs: readonly RunSize[], given = means) {
  const rounds: (readonly (readonly RunSize[])[])[] = [];
  let left = runs;
  for (;;) {
    const { groups, blockBytes } = planMerges(left, given);
    if (groups.length === 0) return { left, rounds };
    rounds.push(groups);
    const made = groups.map((group) => ({
      bytes: sumOf(group, ({ bytes }) => bytes),
      longest: 100,
      blockBytes,
    }));
    const merged = new Set(groups.flat());
    left = [...made, ...left.filter((run) => !merged.has(run))];
  }
}

function blocksOf({ bytes, blockBytes = 65_536 }: RunSize): number {
  return Math.ceil(bytes / blockBytes);
}

function sumOf<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0);
}
