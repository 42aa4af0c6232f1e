import type { Estimate } from "./sort-job.ts";
import type { RecordOrder } from "./sort-plan.ts";

/** What a job may take here. */
export interface Means {
  readonly workers: number;
  readonly cores: number;
  /** The output waits beside the runs until it is sent. */
  readonly keepsOutput: boolean;
}

/** Starting the process of a job, its threads and its kernel. */
const startSeconds = 0.5;

/**
 * What a sort of so many bytes would take here: CPU time, as `npm run bench sort` finds it, over the threads that there are
 * cores for, and the bytes of its runs and of an output that waits there. Rough: a slow disk or a slow network takes longer.
 */
export function estimateSort(
  order: RecordOrder,
  bytes: number,
  { workers, cores, keepsOutput }: Means,
): Estimate {
  const { bytesPerSecond, runBytesPerByte } = costOf(order);
  const threads = Math.min(workers, cores);
  const kept = runBytesPerByte + (keepsOutput ? 1 : 0);
  return {
    seconds: startSeconds + bytes / (bytesPerSecond * threads),
    tempBytes: order.top === undefined ? Math.ceil(bytes * kept) : 0,
  };
}

interface Cost {
  /** Of one core: reading, sorting, merging and writing. */
  readonly bytesPerSecond: number;
  /** More than 1 where keys are stored beside the records. */
  readonly runBytesPerByte: number;
}

/** 150 MB of each in 256 MB of memory with two threads: 2.1 s of CPU for text, 2.5 for `-n`, 3.5 for CSV, 3.2 for NDJSON. */
function costOf({ record, keys }: RecordOrder): Cost {
  if (record.kind === "fixed") {
    return { bytesPerSecond: 145e6, runBytesPerByte: 1 };
  }
  const [key] = keys;
  if (key === undefined) return { bytesPerSecond: 72e6, runBytesPerByte: 1 };
  const isWholeNumber =
    keys.length === 1 &&
    key.kind === "field" &&
    key.type === "number" &&
    key.start.field === 1 &&
    key.end === undefined;
  return isWholeNumber
    ? { bytesPerSecond: 60e6, runBytesPerByte: 1 }
    : { bytesPerSecond: 43e6, runBytesPerByte: 1.3 };
}
