/** What a sort may take, and where it keeps what it needs to go on after a crash. */
export interface SortOptions {
  /**
   * The job's own folder, made where it is missing: manifest and runs. A sort that finds the manifest of the same spec
   * and the same inputs in it goes on from there. It is removed when the sort has succeeded, and kept when it has not.
   */
  readonly jobFolder: string;
  /** The caller lets nobody else into the folder. Otherwise it is locked, and FOLDER_IN_USE where another sort works in it. */
  readonly isFolderGuarded?: boolean;
  readonly memory: MemoryBudget;
  /** Bytes that runs may take at once. Without one, what the disk has. */
  readonly tempBytes?: number;
  /** The output lies where the runs do, and counts as they do. */
  readonly countsOutput?: boolean;
  /** Threads that read, sort and merge. Default: cores + 1, for their file calls wait. */
  readonly workers?: number;
  /** "auto" takes WebAssembly where the engine has it. */
  readonly kernel?: "auto" | "wasm" | "typescript";
  /** "auto" writes an output past the page cache where it and its runs are more than the cache takes in without writing. */
  readonly pageCache?: "auto" | "used" | "bypassed";
  /**
   * Makes the output survive a power cut too, not only the end of the process, and with `true` runs as well; spoilt runs are
   * made again.
   */
  readonly durable?: boolean | "output";
  /** Compares the records' checksums of input and output. */
  readonly verify?: boolean;
  /** Nothing of a sort that fails is kept to go on from. */
  readonly discardOnFailure?: boolean;
  /** Called at most five times a second, and at the end. */
  readonly onProgress?: (progress: SortProgress) => void;
  readonly signal?: AbortSignal;
}

export interface MemoryBudget {
  readonly bytes: number;
  /** "process": what the whole process has resident (RSS). "job": only what this sort allocates, for a process that does more. */
  readonly counts: "process" | "job";
}

export type SortPhase = "planning" | "sorting" | "merging" | "finishing";

export interface SortProgress {
  readonly phase: SortPhase;
  /** Of the input, as it is after decompression; the total is missing where the input does not tell. */
  readonly bytesRead: number;
  readonly bytesTotal?: number;
  readonly records: number;
  readonly bytesMerged: number;
  readonly bytesToMerge: number;
  readonly tempBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft?: number;
}

export interface SortResult {
  readonly records: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly recordsOut: number;
  readonly runs: number;
  /** Runs and merged parts that an earlier, interrupted sort had left. */
  readonly reused: number;
  readonly tempBytesWritten: number;
  /** A sum over all records that no order changes; undefined without `verify`. */
  readonly checksum?: string;
  readonly seconds: number;
}
