import type { EachBatchPayload } from "kafkajs";

const COMMIT_AFTER_MS = 500;

type Offsets = Pick<
  EachBatchPayload,
  "commitOffsetsIfNecessary" | "uncommittedOffsets"
>;

/** How far one member of a group has come, told to the broker now and then instead of after each batch. */
export interface OffsetCommits {
  /** Commits within half a second what is done by then, of all of the member's partitions at once. */
  soon(offsets: Offsets): void;
  /** Commits now what is done. Best effort: what is not committed is delivered once more. */
  flush(): Promise<void>;
}

/**
 * One commit for all partitions and many batches: with one a batch, three groups that follow 100 orders a second made 550
 * commits of it, a third of the broker's work.
 */
export function createOffsetCommits(): OffsetCommits {
  let latest: Offsets | undefined;
  let timer: NodeJS.Timeout | undefined;
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const offsets = latest;
    latest = undefined;
    try {
      // Those of the member as it stands now: after a rebalance they begin at what is committed.
      await offsets?.commitOffsetsIfNecessary(offsets.uncommittedOffsets());
    } catch {
      // The heartbeat fails for the same reason, and tells.
    }
  };
  return {
    soon(offsets) {
      latest = offsets;
      timer ??= setTimeout(() => void flush(), COMMIT_AFTER_MS);
    },
    flush,
  };
}
