import { rm } from "node:fs/promises";
import { checkOptions, checkSpec } from "./check-spec.ts";
import { explainFailure } from "./job/explain-failure.ts";
import { finishedResult, recordFinish } from "./job/finish.ts";
import { knowInput, type KnownInput } from "./job/inputs.ts";
import type { Job } from "./job/job.ts";
import { lockFolder } from "./job/lock-folder.ts";
import { openManifest, type Manifest } from "./job/manifest.ts";
import { mergeRuns, type MergeTotals } from "./job/merge-phase.ts";
import { openJob, openStop, wantedWorkers } from "./job/open-job.ts";
import {
  commitOutput,
  newJobId,
  openOutput,
  syncOutput,
} from "./job/output.ts";
import { reportProgress, type ProgressReport } from "./job/progress.ts";
import { checkSameJob, takeOverRuns } from "./job/resume.ts";
import { sortInputs } from "./job/sort-phase.ts";
import { specHash } from "./job/spec-hash.ts";
import { limitTempSpace } from "./job/temp-space.ts";
import { startWorkers } from "./job/worker-pool.ts";
import type { SortOptions, SortResult } from "./sort-options.ts";
import type { SortSpec } from "./sort-spec.ts";

/**
 * Sorts the inputs of a spec into its output with a fixed amount of memory: worker threads sort what fits in their
 * arenas into runs, and merge all runs at once, each a range of the keys.
 *
 * The output appears whole or not at all. A sort that was ended at any point, even by SIGKILL, goes on where it was when
 * it is called again with the same spec and job folder, and makes the same bytes. Throws a DomainError whose `reason`
 * is a {@link SortFault}; after one, the job folder still holds what was done, unless the fault lies in the input.
 */
export async function sortFile(
  spec: SortSpec,
  options: SortOptions,
): Promise<SortResult> {
  checkSpec(spec);
  checkOptions(options);
  const startedAt = performance.now();
  using _lock = options.isFolderGuarded
    ? undefined
    : lockFolder(options.jobFolder);
  using manifest = openManifest(options.jobFolder);
  const done = await finishedResult(manifest, spec, options);
  if (done) return done;
  try {
    return await sortJob(spec, options, manifest, startedAt);
  } catch (error) {
    throw await explainFailure(spec, options, manifest, error);
  }
}

async function sortJob(
  spec: SortSpec,
  options: SortOptions,
  manifest: Manifest,
  startedAt: number,
): Promise<SortResult> {
  using end = openStop(options.signal, "sort");
  const { stop, control } = end;
  using progress = reportProgress(options, control);
  const found = spec.inputs.map(knowInput);
  const id = beginJob(manifest, spec, found);
  await using pool = await startWorkers(wantedWorkers(options));
  const start = { spec, options, found, manifest, control, stop };
  const { job, head } = await openJob(start, pool);
  const totals = await runJob(job, id, head, progress);
  return await finish(job, id, totals, progress, startedAt);
}

async function runJob(
  job: Job,
  id: string,
  head: Uint8Array,
  progress: ProgressReport,
): Promise<MergeTotals> {
  progress.bytesTotal = sumOf(job.inputs.map(({ size }) => size));
  await takeOverRuns(job);
  await limitTempSpace(job);
  progress.phase = "sorting";
  if (!job.manifest.lines.some(({ kind }) => kind === "merged")) {
    await sortInputs(job);
  }
  progress.phase = "merging";
  progress.bytesToMerge = job.runs.reduce((sum, run) => sum + run.outBytes, 0);
  const output = await openOutput(job.spec.output, id, {
    signal: job.stop.signal,
    count(bytes) {
      if (job.options.countsOutput) job.control.takeTemp(bytes);
    },
  });
  const totals = await mergeRuns(job, output, head);
  progress.phase = "finishing";
  return totals;
}

async function finish(
  job: Job,
  id: string,
  totals: MergeTotals,
  progress: ProgressReport,
  startedAt: number,
): Promise<SortResult> {
  const { options, spec } = job;
  const { durable = false } = options;
  if (durable) await syncOutput(spec.output, id);
  const result = recordFinish(job, totals, startedAt);
  await commitOutput(spec.output, id, durable !== false);
  await rm(options.jobFolder, { recursive: true, force: true });
  progress.tell();
  return result;
}

function beginJob(
  manifest: Manifest,
  spec: SortSpec,
  found: readonly KnownInput[],
): string {
  const hash = specHash(spec);
  const inputs = found.map(({ identity }) => identity);
  const known = checkSameJob(manifest, hash, inputs);
  if (known !== undefined) return known;
  const id = newJobId();
  manifest.append({ kind: "job", version: 1, spec: hash, inputs, id });
  return id;
}

function sumOf(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.reduce(
    (sum, size) =>
      sum === undefined || size === undefined ? undefined : sum + size,
    0,
  );
}
