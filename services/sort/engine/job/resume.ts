import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sortError } from "../sort-error.ts";
import { readIndex, type RunIndex } from "../run-file.ts";
import { together, type Job } from "./job.ts";
import type { Manifest, ManifestRun } from "./manifest.ts";
import { runPath } from "./sort-phase.ts";

/** The runs that a manifest leaves, in the order of their records. */
export function runsOf({ lines }: Manifest): ManifestRun[] {
  let runs: ManifestRun[] = [];
  for (const line of lines) {
    if (line.kind === "run") runs.push(line);
    if (line.kind === "merged") {
      runs = runs.filter(({ id }) => !line.replaces.includes(id));
      runs.push(line.run);
    }
  }
  return runs.toSorted((a, b) => a.input - b.input || a.from - b.from);
}

/** Throws INPUT_CHANGED where a job's folder was made from other inputs, SPEC_INVALID where for another sort. */
export function checkSameJob(
  manifest: Manifest,
  spec: string,
  inputs: readonly string[],
): string | undefined {
  const [job] = manifest.lines;
  if (job?.kind !== "job") return undefined;
  if (job.spec !== spec) {
    throw sortError(
      "SPEC_INVALID",
      "the job's folder holds the work of another sort",
      { field: "jobFolder" },
    );
  }
  if (job.inputs.join("\n") !== inputs.join("\n")) {
    throw sortError(
      "INPUT_CHANGED",
      "an input is not what it was when this job began",
    );
  }
  return job.id;
}

/**
 * Takes over the runs of an earlier process after reading them whole: a crash of the machine may have spoilt what was
 * not synced. What is not named in the manifest is removed.
 */
export async function takeOverRuns(job: Job): Promise<void> {
  const good: ManifestRun[] = [];
  const waiting = [...job.runs];
  const isMerging = job.manifest.lines.some(({ kind }) => kind === "merged");
  const work = job.pool.workers.map(async (worker) => {
    for (let run = waiting.shift(); run; run = waiting.shift()) {
      const index = indexOf(job, run);
      const data = run.dataPath ?? runPath(job, run.id);
      const isGood =
        index !== undefined &&
        (await worker.run({ kind: "verify", data, index }));
      if (isGood) good.push(run);
      else if (isMerging) throw lost(run);
    }
  });
  await together(job, work);
  const sorted = good.toSorted((a, b) => a.input - b.input || a.from - b.from);
  job.runs = isMerging ? sorted : withoutHoles(job, sorted);
  job.reused = job.runs.length;
  for (const run of job.runs) {
    job.control.takeTemp(run.tempBytes);
    job.control.addRead(run.to - run.from, run.records);
  }
  removeStrangers(job);
}

/** Streams are read once and in order, so of their runs only those up to the first hole are of use. */
function withoutHoles(job: Job, runs: readonly ManifestRun[]): ManifestRun[] {
  const ends = [...job.heads];
  return runs.filter(({ input, from, to }) => {
    if (job.inputs[input]?.path !== undefined) return true;
    if (from !== ends[input]) return false;
    ends[input] = to;
    return true;
  });
}

function lost(run: ManifestRun) {
  return sortError(
    "RUN_CORRUPT",
    `run ${run.id} is not what was written, and the runs it was made from are gone: sort again from the start`,
  );
}

function indexOf(job: Job, run: ManifestRun): RunIndex | undefined {
  const path = runPath(job, run.id);
  try {
    return existsSync(path) ? readIndex(path) : undefined;
  } catch {
    // It will be made again.
    return undefined;
  }
}

function removeStrangers(job: Job): void {
  const { jobFolder } = job.options;
  const known = new Set(job.runs.map(({ id }) => runPath(job, id)));
  for (const name of readdirSync(jobFolder)) {
    const path = join(jobFolder, name);
    if (name.startsWith("run-") && !known.has(path)) rmSync(path);
  }
}
