import type { OrderPlan } from "../keys/plan-keys.ts";
import type { SortOptions } from "../sort-options.ts";
import type { SortSpec } from "../sort-spec.ts";
import type { Control } from "../worker/control.ts";
import type { KnownInput } from "./inputs.ts";
import type { Manifest, ManifestRun } from "./manifest.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** One sort on its way. */
export interface Job {
  readonly spec: SortSpec;
  readonly options: SortOptions;
  readonly inputs: readonly KnownInput[];
  /** Of each input, how many bytes at its start are not sorted: a header. */
  readonly heads: readonly number[];
  readonly plan: OrderPlan;
  readonly control: Control;
  readonly manifest: Manifest;
  readonly pool: WorkerPool;
  readonly arenaBytes: number;
  readonly maxRecordBytes: number;
  /** What indexes of runs may take at once. */
  readonly indexBytes: number;
  /** Aborted when the caller gives up, or when a part of the job has failed. */
  readonly stop: AbortController;
  /** In the order of their records in the inputs. */
  runs: ManifestRun[];
  nextRun: number;
  reused: number;
}

/**
 * Waits for all, whatever happens to them; the first failure stops the others and is thrown. Workers look at the
 * control, everything else at the signal.
 */
export async function together(
  job: Pick<Job, "control" | "stop">,
  work: readonly Promise<unknown>[],
): Promise<void> {
  const failures: unknown[] = [];
  await Promise.all(
    work.map((promise) =>
      promise.catch((error: unknown) => {
        failures.push(error);
        job.control.cancel();
        job.stop.abort(error);
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
