import { unlinkSync } from "node:fs";
import { readIndex } from "../run-file.ts";
import type { WholeRun } from "../worker/tasks.ts";
import { together, type Job } from "./job.ts";
import type { ManifestRun } from "./manifest.ts";
import { openFilesLeft } from "./open-files.ts";
import { planMerges } from "./plan-merges.ts";
import { runPath } from "./sort-phase.ts";
import type { OpenRun } from "./splitters.ts";
import type { SortWorker } from "./worker-pool.ts";

/** Merges neighbouring runs into longer ones until the last merge can take all that are left. */
export async function reduceRuns(job: Job): Promise<void> {
  for (;;) {
    job.runs = job.runs.filter(({ records }) => records > 0);
    const { groups, blockBytes } = planMerges(job.runs, {
      arenaBytes: job.arenaBytes,
      workers: job.pool.workers.length,
      indexBytes: job.indexBytes,
      openFiles: openFilesLeft(),
    });
    if (groups.length === 0) return;
    const waiting = [...groups];
    const work = job.pool.workers.map(async (worker) => {
      for (let group = waiting.pop(); group; group = waiting.pop()) {
        await mergeGroup(job, worker, group, blockBytes);
      }
    });
    await together(job, work);
  }
}

export function openRun(job: Job, run: ManifestRun): OpenRun {
  const path = runPath(job, run.id);
  const { id, longest } = run;
  return { id, longest, data: run.dataPath ?? path, index: readIndex(path) };
}

async function mergeGroup(
  job: Job,
  worker: SortWorker,
  group: readonly ManifestRun[],
  blockBytes: number,
): Promise<void> {
  const id = job.nextRun++;
  const longest = group.reduce((most, run) => Math.max(most, run.longest), 0);
  const merged = await worker.run({
    kind: "merge",
    slices: group.map((run) => wholeRun(job, run)),
    target: { kind: "run", path: runPath(job, id), blockBytes },
    limit: job.spec.top ?? Infinity,
    longest,
  });
  // A group has at least two.
  const first = group[0] as ManifestRun;
  const hash = group.reduce((sum, run) => sum + BigInt(run.hash), 0n);
  const run: ManifestRun = {
    ...first,
    id,
    records: merged.records,
    bytes: merged.bytes,
    outBytes: group.reduce((sum, each) => sum + each.outBytes, 0),
    longest,
    hash: String(BigInt.asUintN(64, hash)),
    dataPath: undefined,
    tempBytes: merged.tempBytes,
    blockBytes,
  };
  const replaces = group.map((each) => each.id);
  job.manifest.append({ kind: "merged", run, replaces });
  const place = job.runs.indexOf(first);
  job.runs = job.runs.flatMap((each, i) =>
    i === place ? [run] : group.includes(each) ? [] : [each],
  );
  for (const each of group) {
    unlinkSync(runPath(job, each.id));
    job.control.freeTemp(each.tempBytes);
  }
}

function wholeRun(job: Job, { id, dataPath }: ManifestRun): WholeRun {
  const indexPath = runPath(job, id);
  return { data: dataPath ?? indexPath, indexPath };
}
