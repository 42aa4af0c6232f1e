import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createOffsetCommits } from "../../../services/platform/events/offset-commits.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A member of a group that has done so many batches, and what was committed of it. */
function setup(commit = async () => {}) {
  let done = 0;
  const committed: number[] = [];
  const offsets = {
    uncommittedOffsets: () => ({
      topics: [
        { topic: "t", partitions: [{ partition: 0, offset: `${done}` }] },
      ],
    }),
    commitOffsetsIfNecessary: async () => {
      committed.push(done);
      await commit();
    },
  };
  const commits = createOffsetCommits();
  return {
    commits,
    committed,
    finishBatch() {
      done += 1;
      commits.soon(offsets);
    },
  };
}

describe("commits of offsets", () => {
  it("tell once of all that was done in half a second", async () => {
    const { committed, finishBatch } = setup();
    finishBatch();
    finishBatch();

    await vi.advanceTimersByTimeAsync(1_000);
    finishBatch();
    await vi.advanceTimersByTimeAsync(1_000);

    expect(committed).toEqual([2, 3]);
  });

  it("tell at once when asked to, and then no more", async () => {
    const { commits, committed, finishBatch } = setup();
    finishBatch();

    await commits.flush();
    await vi.advanceTimersByTimeAsync(1_000);

    expect(committed).toEqual([1]);
  });

  it("go on after one that fails", async () => {
    const { committed, finishBatch } = setup(() =>
      Promise.reject(new Error("rebalancing")),
    );
    finishBatch();
    await vi.advanceTimersByTimeAsync(1_000);
    finishBatch();
    await vi.advanceTimersByTimeAsync(1_000);

    expect(committed).toEqual([1, 2]);
  });
});
