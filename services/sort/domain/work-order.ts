import type { JobFailure, JobProgress, JobResult } from "./sort-job.ts";
import type { RecordOrder, SortPlan } from "./sort-plan.ts";

/** What a job's own process is told to do. Paths are the machine's, checked by whoever wrote the order. */
export type WorkOrder = {
  readonly order: RecordOrder;
  /** The job's own folder. Nobody else writes there. */
  readonly folder: string;
  readonly memoryBytes: number;
  readonly tempBytes: number | undefined;
  readonly workers: number;
} & (
  | {
      readonly kind: "job";
      readonly mode: SortPlan["mode"];
      readonly inputs: readonly OrderedInput[];
      readonly output: OrderedOutput | undefined;
    }
  /** Standard input to standard output. */
  | {
      readonly kind: "stream";
      readonly inputCompression: "auto" | "none" | "gzip" | "zstd";
      readonly outputCompression: "none" | "gzip" | "zstd";
    }
);

export type OrderedInput = {
  readonly name: string;
  readonly compression: "auto" | "none" | "gzip" | "zstd";
} & (
  | { readonly kind: "path"; readonly path: string }
  /** Read by a URL that has to be asked for. */
  | { readonly kind: "remote" }
);

export type OrderedOutput = {
  readonly compression: "none" | "gzip" | "zstd";
} & (
  | { readonly kind: "path"; readonly name: string; readonly path: string }
  | { readonly kind: "url" }
  | { readonly kind: "new-file" }
);

/** What a job's process asks its service, which has the credentials. */
export type Ask =
  | { readonly what: "input-url"; readonly input: number }
  | { readonly what: "output-url" }
  | { readonly what: "begin-file"; readonly sizeBytes: number }
  | { readonly what: "sign-parts"; readonly partNumbers: readonly number[] }
  | { readonly what: "complete-file"; readonly parts: readonly SentPart[] };

export interface SentPart {
  readonly partNumber: number;
  readonly etag: string;
}

export interface SignedUrl {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a new file takes its bytes; `isComplete` where an attempt before this one has sent them all. */
export interface BegunFile {
  readonly file: string;
  readonly isComplete: boolean;
  readonly partBytes: number;
  readonly partCount: number;
}

export type ToWorker =
  | { readonly kind: "order"; readonly order: WorkOrder }
  /** Go on for so long; without another one the process ends itself, as somebody else may do the work by then. */
  | { readonly kind: "lease"; readonly ms: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | {
      readonly kind: "refusal";
      readonly id: number;
      readonly failure: JobFailure;
    };

export type FromWorker =
  /** Once a second. */
  | { readonly kind: "alive" }
  | { readonly kind: "progress"; readonly progress: JobProgress }
  | { readonly kind: "ask"; readonly id: number; readonly ask: Ask }
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly failure: JobFailure };
