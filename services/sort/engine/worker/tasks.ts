import type { KeyPlan } from "../keys/key-plan.ts";
import type { KernelOrder } from "../kernel/kernel.ts";
import type { KernelChoice } from "../kernel/open-kernel.ts";
import type { RunIndex } from "../run-file.ts";

/** What a worker is told once, before its first task. */
export interface WorkerSetup {
  readonly control: SharedArrayBuffer;
  readonly order: KernelOrder;
  readonly keys: KeyPlan;
  readonly kernel: KernelChoice;
  readonly arenaBytes: number;
  readonly maxRecordBytes: number;
  readonly durable: boolean;
}

/** Where the bytes of a chunk come from. */
export type ChunkSource =
  /** Records that begin in [from, to) of a file. */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly from: number;
      readonly to: number;
      readonly size: number;
    }
  /** Bytes that the main thread supplies, from a record's first one on. */
  | {
      readonly kind: "pipe";
      readonly name: string;
      readonly pipe: SharedArrayBuffer;
      readonly from: number;
      /** What the last worker had left over. */
      readonly carry: Uint8Array;
      /** Of the input: records that begin behind it belong to the next range. */
      readonly to: number;
    };

export interface SortTask {
  readonly kind: "sort";
  readonly source: ChunkSource;
  readonly runPath: string;
  readonly top: number;
  /** Whether a chunk that is sorted already may stay where it is. */
  readonly mayStay: boolean;
}

/** Told as soon as the records are in the arena, before they are sorted: others may go on from there. */
export interface ChunkRead {
  readonly consumedTo: number;
  readonly records: number;
  readonly atEnd: boolean;
  readonly carry: Uint8Array;
}

export interface SortedRun {
  readonly records: number;
  /** Bytes of the run, and what they are in the output. */
  readonly bytes: number;
  readonly outBytes: number;
  readonly longest: number;
  readonly hash: string;
  /** Set where the records stay in the input. */
  readonly dataPath: string | undefined;
  readonly tempBytes: number;
}

export interface LocateTask {
  readonly kind: "locate";
  readonly data: string;
  readonly index: RunIndex;
  readonly wanted: readonly Wanted[];
  readonly keysOnly: boolean;
}

/** A record as a run stores it, whose place is sought: of the first one not before it, or behind it. */
export interface Wanted {
  readonly stored: Uint8Array;
  readonly after: boolean;
}

export interface Place {
  readonly offset: number;
  readonly outOffset: number;
}

export interface MergeTask {
  readonly kind: "merge";
  readonly slices: readonly (Slice | WholeRun)[];
  readonly target: MergeTarget;
  readonly limit: number;
  readonly longest: number;
}

/** A part of a run; the index holds just the blocks that it touches. */
export interface Slice {
  readonly data: string;
  readonly index: RunIndex;
  readonly from: number;
  readonly to: number;
}

/** Its index is read by whoever merges it: there may be hundreds, and none of them is needed here. */
export interface WholeRun {
  readonly data: string;
  readonly indexPath: string;
}

export type MergeTarget =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly position: number;
      /** Past the page cache. */
      readonly isDirect: boolean;
    }
  | { readonly kind: "pipe"; readonly pipe: SharedArrayBuffer }
  /** A longer run, for what is too much to merge at once. */
  | {
      readonly kind: "run";
      readonly path: string;
      readonly blockBytes: number;
    };

export interface Merged {
  readonly bytes: number;
  readonly outBytes: number;
  readonly records: number;
  readonly crc: number;
  readonly hash: string;
  readonly tempBytes: number;
}

export interface CheckTask {
  readonly kind: "check";
  readonly source: ChunkSource;
  readonly strict: boolean;
}

export interface Checked {
  readonly records: number;
  /** The first record that is not behind its predecessor, from 0 in this chunk; -1: none. */
  readonly disorder: number;
  /** First, last and disorderly record, as stored. */
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  readonly wrong: Uint8Array;
}

export interface VerifyTask {
  readonly kind: "verify";
  readonly data: string;
  readonly index: RunIndex;
}

export type Task = SortTask | LocateTask | MergeTask | CheckTask | VerifyTask;

export type TaskResult<T extends Task> = T extends SortTask
  ? SortedRun
  : T extends LocateTask
    ? readonly Place[]
    : T extends MergeTask
      ? Merged
      : T extends CheckTask
        ? Checked
        : boolean;
