import type { Kernel, KernelOrder } from "../kernel/kernel.ts";
import type { Extractor } from "../keys/extractor.ts";
import type { Control } from "./control.ts";
import type { WorkerSetup } from "./tasks.ts";

/** What every task of a worker works with. */
export interface WorkerDeps {
  readonly kernel: Kernel;
  readonly order: KernelOrder;
  readonly control: Control;
  readonly setup: WorkerSetup;
  /** Undefined where a record's own bytes are its key. */
  readonly extractor: Extractor | undefined;
}

/** Records in the arena, and their entries in input order. */
export interface Chunk {
  readonly entries: number;
  readonly spare: number;
  readonly count: number;
  /** All records that were read; `top` may have left some without an entry. */
  readonly records: number;
  readonly longest: number;
  readonly disorder: number;
  readonly hash: bigint;
  /** Where in the input the first record begins, and what follows the last. */
  readonly start: number;
  readonly consumedTo: number;
  readonly atEnd: boolean;
  /** The last record had no delimiter of its own and was given one. */
  readonly isCompleted: boolean;
  /** Read, but not taken: what a pipe's next reader begins with. */
  readonly carry: Uint8Array;
}

/** One read; also how often a worker looks whether it is cancelled. */
export const READ_BYTES = 4 << 20;
