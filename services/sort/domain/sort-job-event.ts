import type { SortJob } from "./sort-job.ts";

/** What others are told of a job. */
export interface SortJobEvent {
  readonly type: "SortJobCreated" | "SortJobProgressed" | "SortJobFinished";
  readonly job: SortJob;
}
