import { unlinkSync } from "node:fs";
import { BLOCK_BYTES, readIndex } from "../run-file.ts";
import { mostSources } from "../worker/merge-part.ts";
import type { Slice } from "../worker/tasks.ts";
import { together, type Job } from "./job.ts";
import type { ManifestRun } from "./manifest.ts";
import { runPath } from "./sort-phase.ts";
import type { OpenRun } from "./splitters.ts";
import type { SortWorker } from "./worker-pool.ts";

/** Merges neighbouring runs into longer ones until the last merge can take all that are left. */
export async function reduceRuns(job: Job): Promise<void> {
  for (;;) {
    job.runs = job.runs.filter(({ records }) => records > 0);
    const groups = groupsToMerge(job);
    if (groups.length === 0) return;
    const work = job.pool.workers.map(async (worker) => {
      for (let group = groups.pop(); group; group = groups.pop()) {
        await mergeGroup(job, worker, group);
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

/** As few as are needed: what is merged here is read and written once more. */
function groupsToMerge(job: Job): ManifestRun[][] {
  const longest = job.runs.reduce(
    (most, run) => Math.max(most, run.longest),
    0,
  );
  const most = Math.max(2, mostSources(job.arenaBytes, longest, BLOCK_BYTES));
  const surplus = job.runs.length - most;
  if (surplus <= 0) return [];
  const groups: ManifestRun[][] = [];
  let left = surplus;
  let at = 0;
  while (left > 0 && at < job.runs.length - 1) {
    const size = Math.min(most, left + 1, job.runs.length - at);
    groups.push(job.runs.slice(at, at + size));
    at += size;
    left -= size - 1;
  }
  return groups;
}

async function mergeGroup(
  job: Job,
  worker: SortWorker,
  group: readonly ManifestRun[],
): Promise<void> {
  const id = job.nextRun++;
  const longest = group.reduce((most, run) => Math.max(most, run.longest), 0);
  const merged = await worker.run({
    kind: "merge",
    slices: group.map((run) => wholeRun(openRun(job, run))),
    target: { kind: "run", path: runPath(job, id) },
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

export function wholeRun({ data, index }: OpenRun): Slice {
  return {
    data,
    index,
    from: index.offsets[0] ?? 0,
    to: index.offsets[index.blocks] ?? 0,
  };
}
