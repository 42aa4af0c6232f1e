import type { EachBatchPayload, IHeaders } from "kafkajs";
import type { IncomingRecord, PartitionBatch } from "./event-bus.ts";
import type { OffsetCommits } from "./offset-commits.ts";

/** What batches tell the member of a group that took them. */
export interface BatchTaker {
  /** Resume paused partitions. */
  readonly timers: Set<NodeJS.Timeout>;
  readonly commits: OffsetCommits;
}

/** A batch of kafkajs' as the port has it. */
export interface KafkaBatch extends PartitionBatch {
  /** Until its handler says otherwise. */
  readonly isOfConcern: boolean;
}

export function toPartitionBatch(
  payload: EachBatchPayload,
  signal: AbortSignal,
  { timers, commits }: BatchTaker,
): KafkaBatch {
  const { topic, partition, highWatermark } = payload.batch;
  const records = payload.batch.messages.map((message): IncomingRecord => ({
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key?.toString("utf8"),
    value: message.value ?? new Uint8Array(0),
    headers: toStrings(message.headers),
  }));
  let done: bigint | undefined;
  let committed: bigint | undefined;
  let isOfConcern = true;
  return {
    topic,
    partition,
    records,
    remaining: BigInt(highWatermark) - BigInt(payload.batch.lastOffset()) - 1n,
    signal,
    markDone(record) {
      done = record.offset;
      payload.resolveOffset(record.offset.toString());
    },
    async commit() {
      if (done === undefined || done === committed) return;
      const offset = (done + 1n).toString();
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
      committed = done;
    },
    commitSoon: () => commits.soon(payload),
    noConcern: () => void (isOfConcern = false),
    get isOfConcern() {
      return isOfConcern;
    },
    pauseFor(ms) {
      const resume = payload.pause();
      const timer = setTimeout(() => {
        timers.delete(timer);
        resume();
      }, ms);
      timers.add(timer);
    },
  };
}

/** Header names arrive as sent; a header that is sent twice counts once, as CloudEvents knows no lists. */
function toStrings(headers: IHeaders | undefined): Record<string, string> {
  const strings: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    const single = Array.isArray(value) ? value[0] : value;
    if (single !== undefined) strings[name] = single.toString();
  }
  return strings;
}
