import type { SortPlan } from "./sort-plan.ts";

export type SortJobState =
  | "queued"
  | "running"
  | "suspended"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled";

/** A sort of a tenant's, and how far it is. */
export interface SortJob {
  readonly id: string;
  readonly tenant: string;
  readonly owner: string;
  /** The job as its caller stated it, in the contract's bytes, without secrets. */
  readonly request: Uint8Array;
  readonly plan: SortPlan;
  readonly state: SortJobState;
  readonly placement: Placement | undefined;
  readonly progress: JobProgress | undefined;
  readonly result: JobResult | undefined;
  readonly failure: JobFailure | undefined;
  readonly version: bigint;
  /** How often it was taken up, but for those times that a process that stopped gave it back. */
  readonly attempts: number;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly updatedAt: Date;
  readonly endedAt: Date | undefined;
}

/** Where a job runs, and why: decided once, before it first runs. */
export interface Placement {
  readonly engine: "local" | "spark";
  readonly reason: string;
  /** What it would take here, where the size of its input is known. */
  readonly estimate?: Estimate;
  readonly spark?: SparkRun;
}

export interface Estimate {
  readonly seconds: number;
  readonly tempBytes: number;
}

/** A sort that was handed to Spark. Stored before Spark hears of it, so that whoever takes the job over finds it there. */
export interface SparkRun {
  readonly sessionId: string;
  readonly operationId: string;
  /** What Spark read, once it has written all that it will. */
  readonly read?: Totals;
}

/** What some lines come to. */
export interface Totals {
  readonly records: number;
  /** With a delimiter after each. */
  readonly bytes: number;
  /** The sum of their CRC-32s, in decimal: the same in any order. */
  readonly checksum: string;
}

/** A part file of an output of Spark's. */
export interface OutputPart extends Totals {
  readonly name: string;
}

export type JobPhase =
  "planning" | "sorting" | "merging" | "finishing" | "uploading";

export interface JobProgress {
  readonly phase: JobPhase;
  readonly bytesRead: number;
  readonly bytesTotal?: number;
  readonly records: number;
  readonly bytesMerged: number;
  readonly bytesToMerge: number;
  readonly bytesUploaded: number;
  readonly tempBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft?: number;
}

export interface JobResult {
  readonly recordsIn: number;
  readonly recordsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly runs: number;
  readonly reused: number;
  readonly checksum?: string;
  readonly file?: string;
  readonly sorted?: boolean;
  readonly firstUnsortedLine?: number;
  readonly parts?: readonly OutputPart[];
}

export interface JobFailure {
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether nothing becomes of a job any more. */
export function isSettled({ state }: Pick<SortJob, "state">): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** Which failures only want fresh URLs. */
export function isSuspension({ reason }: JobFailure): boolean {
  return reason === "URL_EXPIRED";
}
