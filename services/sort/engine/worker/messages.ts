import type { ChunkRead, Task, WorkerSetup } from "./tasks.ts";

export type ToWorker =
  | { readonly kind: "setup"; readonly setup: WorkerSetup }
  | { readonly kind: "task"; readonly task: Task };

export type FromWorker =
  | { readonly kind: "started" }
  | { readonly kind: "ready"; readonly kernel: string }
  | { readonly kind: "read"; readonly read: ChunkRead }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };

/** An error on its way between threads: a fault of ours by its name, or one of the system by its code. */
export interface Failure {
  readonly fault?: string;
  readonly code?: string | undefined;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}
